"""Write the reference pages that are not as the code has them: `python -m documentation`."""

from __future__ import annotations

from documentation.pages import ROOT, drifted, pages

if __name__ == "__main__":
    made = pages()
    for path in drifted():
        path.parent.mkdir(exist_ok=True)
        path.write_text(made[path.name], encoding="utf-8")
        print(f"written: {path.relative_to(ROOT)}")
