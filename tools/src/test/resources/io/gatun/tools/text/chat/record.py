"""Writes expected.json: what jinja2 makes of templates/ for each conversation; null: it refuses.

python3 record.py   (needs jinja2; the build does not run it)
"""

import copy
import json
import sys
from pathlib import Path

here = Path(__file__).parent
sys.path.insert(0, str(here.parent.parent / "jinja"))

from environment import environment, rendered  # noqa: E402

conversations = json.loads((here / "conversations.json").read_text("utf-8"))
env = environment()
expected = {}
for path in sorted((here / "templates").glob("*.jinja")):
    for name, messages in conversations.items():
        for answer in (True, False):
            expected[f"{path.stem}/{name}/{str(answer).lower()}"] = rendered(
                env,
                path.read_text("utf-8"),
                {
                    "messages": copy.deepcopy(messages),
                    "tools": None,
                    "documents": None,
                    "add_generation_prompt": answer,
                    "bos_token": "<s>",
                    "eos_token": "</s>",
                },
            )
target = here / "expected.json"
target.write_text(json.dumps(expected, indent=1) + "\n", "utf-8")
print(len(expected), "texts,", sum(text is None for text in expected.values()), "refused by jinja2")
