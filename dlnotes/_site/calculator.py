"""The calculator of receptive fields: a form on a page, answered by the chapter's own functions (assets/calculator.js).

```{.calculator #receptive-field-calculator}
conv 3 stride 2 padding 1
```
"""

import html

from dlnotes._site import page, run

FORM = """\
<form>
<label>Layers, one a line <textarea name="layers" rows="{rows}" spellcheck="false">{layers}</textarea></label>
<label>Image size <input name="n" type="number" min="1" max="4096" value="{n}" required></label>
<label>Output row <input name="row" type="number" min="0" value="0" required></label>
<label>Output column <input name="column" type="number" min="0" value="0" required></label>
<div class="dl-run__bar"><button class="dl-run__button" type="submit">Compute</button>
<button class="dl-run__button" type="button">Stop</button><span class="dl-run__words" role="status"></span></div>
</form><div class="dl-calculator__answer"></div>"""


def fence(source, language, class_name, options, md, *, classes, id_value, attrs, **kwargs) -> str:
    """The form, filled with the layers of the fence."""
    if classes or attrs or not id_value or not source.strip():
        message = "a calculator takes an #id, and the layers to begin with"
        return page.problem(md, message, find=f"#{id_value}", ident=f"calculator {id_value}".strip())
    if md.dlnotes_wheel_problem:
        return page.problem(md, md.dlnotes_wheel_problem, find=f"#{id_value}", ident=id_value)
    data = {"class": "dl-calculator", "id": id_value} | run.addresses(md)
    attributes = " ".join(f'{key}="{html.escape(value)}"' for key, value in data.items())
    rows = len(source.splitlines()) + 1
    return f"<div {attributes}>{FORM.format(rows=rows, layers=html.escape(source.strip()), n=32)}</div>"
