"""Objects of the user's own classes, and pydantic's."""

import enum
from dataclasses import dataclass, field

from pydantic import BaseModel


@dataclass
class Order:
    sku: str
    count: int
    tags: list[str] = field(default_factory=list)

    def __post_init__(self):
        if self.count < 1:
            raise ValueError(f"{self.count} of {self.sku}")  # fails here: order_of_nothing


@dataclass(frozen=True, slots=True)
class Price:
    cents: int
    currency: str = "EUR"


class Status(enum.Enum):
    OPEN = "open"
    PAID = "paid"


class Customer(BaseModel):
    name: str
    age: int
    emails: list[str]


class Grumpy:
    """Every way to show it fails."""

    def __init__(self, sku):
        self.sku = sku

    def __repr__(self):
        raise RuntimeError("not for you")

    __str__ = __len__ = __hash__ = __repr__

    def __eq__(self, other):
        raise RuntimeError("nor to compare")


def order_of_nothing(event, context):
    """
    event = {orders = [{sku = "A1", count = 2}, {sku = "B2", count = 0, tags = ["gift"]}]}
    error = "ValueError"
    says = "0 of B2"
    locals = {self = "Order(sku='B2', count=0"}
    """
    return [Order(**order).sku for order in event["orders"]]


def frozen_price(event, context):
    """
    event = {rebate = 10}
    error = "FrozenInstanceError"
    says = "cents"
    locals = {price = "Price(cents=1990, currency='EUR')", rebate = "10"}
    """
    price, rebate = Price(1990), event["rebate"]
    price.cents -= rebate  # fails here


def unknown_status(event, context):
    """
    event = {status = "payed"}
    error = "ValueError"
    says = "'payed' is not a valid Status"
    locals = {text = "'payed'"}
    """
    text = event["status"]
    return Status(text).name  # fails here


def invalid_customer(event, context):
    """
    event = {name = "Ada", age = "many", emails = "none"}
    error = "ValidationError"
    says = "2 validation errors for Customer"
    locals = {data = "'many'"}
    """
    data = dict(event)
    return Customer.model_validate(data).name  # fails here


def broken_repr(event, context):
    """
    event = {sku = "A1"}
    error = "AttributeError"
    locals = {grumpy = "Grumpy(sku='A1')", event = "{'sku': 'A1'}"}
    """
    grumpy = Grumpy(event["sku"])
    return grumpy.price  # fails here


def attribute_of_none(event, context):
    """
    event = {customers = {ada = {name = "Ada"}}, who = "bob"}
    error = "AttributeError"
    says = "'NoneType' object has no attribute 'upper'"
    locals = {customer = "{}", name = "None"}
    """
    customer = event["customers"].get(event["who"], {})
    name = customer.get("name")
    return name.upper()  # fails here
