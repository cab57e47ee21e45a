"""The test vectors are as their schema says, and the schema says it of each value: a name that is missing, one too many,
and another kind of value are each noticed, wherever they are.

    python tests/interop/vectors_fit_schema.py
"""

import json
from pathlib import Path

from jsonschema import Draft202012Validator

DATA = Path(__file__).parent / "../data"
# By other programs' names, and lists of names: more may come.
OPEN = {("confirmations", "versions")}


def places(value, place=()):
    """Each object, list and value, with where it is."""
    yield place, value
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    for name, member in members:
        yield from places(member, (*place, name))


def optional(place, name) -> bool:
    """Only a request with a query can be signed with it in the URL, and versions are of whatever was at hand."""
    return place[-1:] == ("variants",) and name.startswith("query_inside_url")


def main() -> None:
    vectors = json.loads((DATA / "vectors.json").read_text())
    schema = json.loads((DATA / "vectors.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    errors = [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(vectors)]
    assert errors == [], errors

    changes = 0

    def is_noticed(change: str) -> None:
        nonlocal changes
        changes += 1
        assert not validator.is_valid(vectors), change

    for place, value in list(places(vectors)):
        if isinstance(value, dict):
            for name in list(value):
                if not optional(place, name):
                    # In its old place again, so that the next change meets the same file.
                    before = dict(value)
                    del value[name]
                    is_noticed(f"{place}: {name} is missing")
                    value.clear()
                    value.update(before)
            if place not in OPEN:
                value["another"] = "1.0"
                is_noticed(f"{place}: one name too many")
                del value["another"]
        if place:
            holder = vectors
            for name in place[:-1]:
                holder = holder[name]
            holder[place[-1]] = {"another": 1.5} if not isinstance(value, dict) else 1.5
            is_noticed(f"{place}: another kind of value")
            holder[place[-1]] = value
    assert validator.is_valid(vectors)
    print(f"the vectors fit their schema, which notices each of {changes} changes")


main()
