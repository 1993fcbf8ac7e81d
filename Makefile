# Every target is a step of make.py, which also runs where make is missing.
.PHONY: setup demo test lint format schemas nightly
setup demo test lint format schemas nightly:
	@python3 make.py $@
