"""A derivation: every line checked against the line above. Opening a line shows the code that computed it.

Its address is `#<id>`; that of the line after the k-th sign is `#<id>.<k>`.

```{.steps #batch-norm-three-paths}
\\frac{\\partial L}{\\partial x_i}
= A
= B
```
"""

import html

from dlnotes._site import evidence, maths, page, pages, quote
from dlnotes._site.claim import complete, mark, small


def fence(source, language, class_name, options, md, *, classes, id_value, attrs, **kwargs) -> str:
    ident = id_value or "steps"
    block = next((b for p in pages.book().pages for b in p.steps if b.id == ident), None)
    header = block.line if block else f"#{ident}"
    if not id_value or classes or attrs:
        return page.problem(md, "a derivation takes an id, and nothing else: ```{.steps #id}", find=header, ident=ident)
    record = block and evidence.record(block, "steps", md.dlnotes_evidence)
    boxes = ""
    if block is None:
        boxes = page.problem(md, "this derivation is drawn and not read: is it in a list?", find=header, ident=ident)
    if record and record.status == "failed":
        boxes = page.problem(md, f"the derivation fails: {record.entry['reason']}", find=header, ident=ident)
    if complete() and not (record and record.status == "held"):
        boxes = page.problem(md, "no evidence for this version of the code", find=header, ident=ident)
    lines = pages.step_lines(source)
    try:
        drawn = [maths.render(lines[0], True), *(maths.render("{}" + line, True) for line in lines[1:])]
    except maths.TexError as error:
        return page.problem(md, " ".join(str(error).split()), find=header, ident=ident)
    rows = "".join(_line(f"{ident}.{k}", k, tex, record) for k, tex in enumerate(drawn[1:], 1))
    first = f'<tex-math class="dl-first" data-search-exclude="true">{drawn[0]}</tex-math>'
    first = f'<div class="dl-step-first" tabindex="0" role="group" aria-label="formula">{first}</div>'
    first = _row(first, ident, "derivation")
    return f'{boxes}<div class="dl-steps" id="{ident}">{first}{rows}</div>'


def _row(shown: str, ident: str, what: str) -> str:
    """With its address at the end of the row: a link inside the summary of a fold would be a control in a control."""
    permalink = f'<a class="headerlink" href="#{ident}" title="Link to this {what}">#</a>'
    return f'<div class="dl-step-row">{shown}{permalink}</div>'


def _line(ident: str, number: int, tex: str, record: evidence.Record | None) -> str:
    status = record.status if record else "not run"
    if record is None:
        body = "<p>Not checked yet on this version of the code.</p>"
    else:
        entry = record.entry
        line = entry["lines"][number - 1]
        error = (
            "exactly" if line["error"] is None else f"to {small(line['error'])} ({small(entry['tolerance'])} allowed)"
        )
        said = f"Agrees with the line above {error}, in {entry['cases']} cases." if status == "held" else status
        body = f"<p>{html.escape(said)}</p>{quote.code_html(line['code'])}"
    fold = (
        f'<details class="dl-step" id="{ident}" data-search-exclude="true"><summary>{mark(status)}'
        f'<tex-math data-search-exclude="true">{tex}</tex-math></summary>{body}</details>'
    )
    return _row(fold, ident, "line")
