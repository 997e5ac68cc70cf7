"""What a program gives as `form`: an elicitation schema of MCP, or a Pydantic model class."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from handoffs.core.errors import QuestionRefused
from handoffs.core.form import Value
from handoffs.core.untrusted import inert_line

if TYPE_CHECKING:
    from pydantic import BaseModel

    M = TypeVar("M", bound=BaseModel)

FormGiven: TypeAlias = "Mapping[str, object] | type[BaseModel] | None"

MAX_SAID = 300
"""Characters of what is wrong with an answer that the person reads."""


class Misfit(Exception):
    """An answer does not fit the model; the message says why, for the person who is asked again."""


def schema_of(form: FormGiven) -> Mapping[str, object] | None:
    """Return the form's schema. Raises QuestionRefused: It is neither a schema nor a Pydantic model class."""
    if form is None or isinstance(form, Mapping):
        return form
    model = model_of(form)
    if model is None:
        raise QuestionRefused("`form` must be an elicitation schema (a dict) or a Pydantic model class.")
    from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError

    try:
        schema = dict(model.model_json_schema())
    except (PydanticUserError, PydanticUndefinedAnnotation) as wrong:
        why = inert_line(str(wrong.message), MAX_SAID)
        raise QuestionRefused(f"The model {model.__name__} can't be made a form: {why}") from None
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or not properties:
        raise QuestionRefused(f"The model {model.__name__} has no fields that a person could fill in.")
    return schema


def model_of(form: object) -> "type[BaseModel] | None":
    """Return the Pydantic model class that was given as `form`; None where it is none."""
    if not isinstance(form, type):
        return None
    from pydantic import BaseModel  # only a program that has a model

    return form if issubclass(form, BaseModel) else None


def instance_of(model: "type[M]", values: Mapping[str, Value]) -> "M":
    """Return the answer as a validated instance of the model. Raises Misfit.

    It is given to the model as JSON: a strict model takes a date or an enum from a text in JSON alone.
    """
    from pydantic import ValidationError

    try:
        return model.model_validate_json(json.dumps(dict(values)))
    except ValidationError as wrong:
        # The values are not repeated: one may be a secret.
        errors = wrong.errors(include_url=False, include_input=False, include_context=False)
        said = "; ".join(f"{'/'.join(map(str, each['loc'])) or 'the answer'}: {each['msg']}" for each in errors)
    raise Misfit(inert_line(said, MAX_SAID))
