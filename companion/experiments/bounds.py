"""What a value must be, in plain words: pydantic's own are those of a programmer."""

from pydantic_core import ErrorDetails

_WORDS = {
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "finite_number": "a finite number",
    "float_type": "a number",
    "greater_than": "more than {gt:,}",
    "greater_than_equal": "at least {ge:,}",
    "int_type": "a whole number",
    "less_than_equal": "at most {le:,}",
    "list_type": "a list",
    "literal_error": "{expected}",
    "model_type": "a mapping",
    "string_type": "text",
}


def mistake(name: str, error: ErrorDetails) -> str:
    """The value and what it must be: "epochs is 0, but must be at least 1"."""
    wanted = error["msg"].removeprefix("Input should be ")
    if words := _WORDS.get(error["type"]):
        known = error.get("ctx", {}).items()
        wanted = words.format(
            **{key: 0 if value == 0 else value for key, value in known}
        )  # not 0.0
    return f"{name} is {error['input']!r}, but must be {wanted}"
