"""Screen product reviews: is anybody shouting?"""

import re

# Words of capitals, with anything between them, up to the end. Harmless, until a line nearly matches.
SHOUTING = re.compile(r"^(([A-Z]+)\s?)+!$")


def handler(event, context):
    verdicts = [screen(review) for review in event["reviews"]]
    return {"screened": len(verdicts), "shouting": sum(verdicts)}


def screen(review):
    text = review["text"].strip()
    return is_shouting(text)


def is_shouting(text):
    return SHOUTING.match(text) is not None
