"""Writes expressions.json: random expressions and what jinja2 makes of them.

python3 record_expressions.py   (needs jinja2; the build does not run it)
"""

import copy
import json
import random
from pathlib import Path

from environment import environment, rendered

SEED = 20261201
COUNT = 6000
VARIABLES = {
    "s": " Hello, World!\n",
    "t": "añ😀b",
    "empty": "",
    "n": 7,
    "z": 0,
    "f": 2.5,
    "yes": True,
    "no": False,
    "nothing": None,
    "l": [3, 1, 2],
    "w": ["b", "A", "c", "a"],
    "d": {"role": "user", "content": " Hi ", "n": 1, "items": "x"},
    "m": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi <b>", "tool_calls": None},
        {"role": "assistant", "content": "", "tool_calls": [{"name": "f", "args": {"x": 1.0}}]},
    ],
}

random = random.Random(SEED)
one = random.choice


def string(depth):
    return one(["s", "t", "empty", "'a'", "'lo'", "' '", "''", "'it\\'s'", "\"q\\n\"", "'Ab cD'"]
               if depth <= 0 or random.random() < 0.5 else
               [f"{string(depth - 1)} + {string(depth - 1)}",
                f"{any_(depth - 1)} ~ {any_(depth - 1)}",
                f"{string(depth - 1)}[{slice_()}]",
                f"({any_(depth - 1)}){one(TEXT_FILTERS)}",
                f"({string(depth - 1)}){one(TEXT_METHODS)}",
                f"{string(0)} * {number(0)}",
                f"({any_(depth - 1)})|tojson",
                f"({any_(depth - 1)})|tojson(indent={one(['2', '4', 'none'])})",
                f"(({list_(depth - 1)})|join({string(0)}))",
                f"(({list_(depth - 1)})|map('string')|join(', '))",
                f"'%s-%s' % ({any_(0)}, {any_(0)})",
                f"m[{one('012')}].{one(['role', 'content', 'missing'])}"])


TEXT_FILTERS = ["|upper", "|lower", "|trim", "|title", "|capitalize", "|string", "|replace('a', 'b')",
                "|replace('l', '', 1)", "|first", "|last", "|trim('!\\n')", "|indent", "|indent(2, true)",
                "|default('x')", "|default('x', true)", "|reverse", "|center(20)", "|truncate(5)", "|e"]
TEXT_METHODS = [".strip()", ".lstrip()", ".rstrip('\\n')", ".upper()", ".lower()", ".title()",
                ".capitalize()", ".replace('l', 'L')", ".split()[0]", ".split(',')[-1]", ".split('l', 1)[1]",
                ".rsplit('o', 1)[0]", ".removeprefix(' ')", ".removesuffix('\\n')", ".zfill(4)",
                ".partition(',')[2]", ".join(['x', 'y'])", ".join(w)", ".splitlines()[0]",
                ".rpartition('o')[0]", ".ljust(9, '.')", ".rjust(9)", ".center(9)", ".missing"]


def slice_():
    return one(["0", "-1", "1:", ":1", ":-1", "1:3", "::-1", "::2", "-2:", "5", "2:1", "::0"])


def number(depth):
    if depth <= 0 or random.random() < 0.5:
        return one(["n", "z", "f", "1", "2", "3", "0.5", "-1", "10", "1e3", "yes"])
    return one([f"({number(depth - 1)} {one(['+', '-', '*', '/', '//', '%', '**'])} {number(0)})",
                f"({any_(depth - 1)})|length", f"({any_(depth - 1)})|int", f"({any_(depth - 1)})|float",
                f"({number(depth - 1)})|round(1)", f"({number(depth - 1)})|abs",
                f"({string(0)}).find('l')", f"({string(0)}).count('l')", f"({list_(0)})|sum",
                f"({list_(0)})|max", f"({list_(0)})|min", f"-{number(0)}", f"({list_(0)}).index(1)"])


def list_(depth):
    if depth <= 0 or random.random() < 0.4:
        return one(["l", "w", "m", "[]", "[1, 'a', none]", "(1, 2)", "d", "[[1], [2, 3]]", "(1,)",
                    "range(3)", "range(5, 1, -2)"])
    return one([f"({list_(depth - 1)})[{slice_()}]", f"({list_(depth - 1)} + {list_(0)})",
                f"({list_(depth - 1)})|list", f"({list_(depth - 1)})|sort", f"({list_(depth - 1)})|unique|list",
                f"({list_(depth - 1)})|reverse|list", f"({list_(depth - 1)})|select|list",
                f"m|selectattr('role', 'equalto', 'user')|list", "m|rejectattr('tool_calls')|list",
                "m|map(attribute='role')|list", "m|map(attribute='content')|map('upper')|list",
                "m|selectattr('tool_calls', 'defined')|map(attribute='role')|list", "d.items()|list",
                "d|items|list", "d|dictsort", "d.keys()|list", "d.values()|list", f"({string(0)}).split()",
                f"({string(0)}).split('l')", f"({string(0)})|list", "l|batch(2)|list", "l|batch(2, 'x')|list",
                "l|slice(2)|list", "m|groupby('role')", "w|sort(reverse=true)", "w|sort(case_sensitive=true)",
                f"[{any_(depth - 1)}, {any_(depth - 1)}]", f"({any_(depth - 1)}, {any_(0)})",
                "m|sort(attribute='role')|map(attribute='role')|list", "l|map('string')|list",
                "l|select('odd')|list", "l|reject('>', 1)|list", "w|select('in', ['a', 'b'])|list",
                f"({string(0)}).splitlines()", f"dict(a=1, b={any_(0)})", "{'a': 1, 'b': [true, none]}"])


def test(depth):
    return one([f"{any_(depth - 1)} {one(['==', '!=', '<', '>=', 'in', 'not in'])} {any_(depth - 1)}",
                f"{any_(depth - 1)} is {one(['', 'not '])}{one(TESTS)}",
                f"not {any_(depth - 1)}", f"{any_(depth - 1)} and {any_(depth - 1)}",
                f"{any_(depth - 1)} or {any_(depth - 1)}", f"1 < {number(0)} <= 3",
                f"({string(0)}).startswith({string(0)})", f"({string(0)}).endswith(('\\n', 'b'))",
                f"({string(0)}).isdigit()", f"({string(0)}).isupper()", f"{string(0)} in d",
                f"'role' in {one(['d', 'm[0]', 's'])}"])


TESTS = ["defined", "undefined", "none", "string", "mapping", "iterable", "sequence", "number", "integer",
         "float", "boolean", "true", "false", "odd", "even", "upper", "lower", "callable", "divisibleby(2)",
         "equalto(1)", "in [1, 'a']", "eq 'a'", "sameas none", "gt 1"]


def any_(depth):
    if depth <= 0:
        return one([string(0), number(0), list_(0), "nothing", "yes", "no", "missing", "d", "m[1]",
                    "d.missing", "d['content']", "d.get('x')", "d.get('role', 'y')", "nothing.x", "loop"])
    return one([string, number, list_, test, conditional])(depth)


def conditional(depth):
    return one([f"({any_(depth - 1)} if {any_(depth - 1)} else {any_(depth - 1)})",
                f"({any_(0)} if {test(1)})", f"({any_(depth - 1)})|default({any_(0)})"])


# Filters such as indent may change a list that they are given: every case has its own.
env = environment()
cases = []
seen = set()
while len(cases) < COUNT:
    expression = any_(one([1, 2, 3]))
    if expression in seen or len(expression) > 200:
        continue
    seen.add(expression)
    text = rendered(env, "{{ " + expression + " }}", copy.deepcopy(VARIABLES))
    # A text with an address in it is another one each time.
    if text is not None and (" at 0x" in text or len(text) > 500):
        continue
    cases.append([expression, text])

target = Path(__file__).with_name("expressions.json")
lines = ",\n".join(json.dumps(case) for case in cases)
target.write_text(f'{{"variables": {json.dumps(VARIABLES)},\n"cases": [\n{lines}\n]}}\n')
refused = sum(text is None for _, text in cases)
print(f"{len(cases)} expressions, {refused} refused by jinja2")
