"""The documentation site: reference pages made from the code, and what makes a site of `docs/`.

`python -m documentation` writes `docs/reference`; `make docs` builds the site with MkDocs (mkdocs.yml).
"""
