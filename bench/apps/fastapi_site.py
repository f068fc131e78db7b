"""A FastAPI application: a greeting, and one hundred rows as JSON, each checked against a model."""

from fastapi import FastAPI
from pydantic import BaseModel
from table import ROWS

app = FastAPI()


class Row(BaseModel):
    """One row of the table."""

    number: int
    name: str
    city: str
    amount: float


@app.get("/")
async def hello() -> dict[str, str]:
    return {"hello": "world"}


@app.get("/page")
async def page() -> list[Row]:
    return [Row.model_validate(row) for row in ROWS]
