# Every target is a step of make.py, which also runs where make is missing.
.PHONY: setup demo test lint format schemas docs fuzz nightly gameday
setup demo test lint format schemas docs fuzz nightly gameday:
	@python3 make.py $@
