"""The bodies of the page's requests. A value of another type, out of range or without a name here is refused."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Temperature = Annotated[float, Field(ge=0, le=2)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Count = Annotated[int, Field(ge=1, le=64)]
Weight = Annotated[float, Field(ge=0, le=1)]
Strength = Annotated[float, Field(ge=-5, le=5)]
Label = Annotated[int, Field(ge=0, lt=2**31)]
Level = Annotated[int, Field(ge=0, lt=2**31)]
Name = Annotated[str, Field(max_length=200)]


class Message(BaseModel):
    """A body whose fields are what they should be: no text for a number, no NaN or infinity, nothing unknown."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class SamplesRequest(Message):
    """The body of `POST /api/samples`; without a label a conditional model takes each class in turn."""

    count: Count = 16
    temperature: Temperature = 0.7
    seed: Seed = 0
    label: Label | None = None


class DrawRequest(Message):
    """The body of `POST /api/draw`: what one sample depends on; without a label its class is 0."""

    temperature: Temperature = 0.7
    seed: Seed = 0
    label: Label | None = None


class BlendRequest(Message):
    """The body of `POST /api/blend`: ids of two images, and a weight of the second for each result."""

    first: Name
    second: Name
    weights: Annotated[list[Weight], Field(min_length=1, max_length=32)]


class MoveRequest(Message):
    """The body of `POST /api/move`: the id of an image, and strengths of attributes by name."""

    image: Name
    strengths: dict[Name, Strength]


class RedrawRequest(Message):
    """The body of `POST /api/redraw`: the id of an image, and the levels to draw again, 0 the finest."""

    image: Name
    levels: Annotated[list[Level], Field(max_length=64)]
    count: Count = 8
    temperature: Temperature = 0.7
    seed: Seed = 0
