"""The daily sales report, as HTML from a Jinja2 template."""

import random

import jinja2

PAGE = """
<h1>Sales of {{ region }}</h1>
<table>
{% for row in rows %}
<tr><td>{{ row.day }}</td><td>{{ row.orders }}</td><td>{{ "%.2f" | format(row.cents / 100) }}</td></tr>
{% endfor %}</table>
<p>Best day: {{ best.day }}, {{ best.manager.name }} was in charge.</p>
"""

MANAGERS = {"north": {"name": "Ada"}, "south": {"name": "Grace"}}

environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=True)
template = environment.from_string(PAGE)


def handler(event, context):
    region = event.get("region", "north")
    rows = sales(region, days=event.get("days", 60))
    best = max(rows, key=lambda row: row["cents"])
    page = render(region, rows, best)
    print("report of", region, "has", len(page), "characters")
    return {"region": region, "days": len(rows), "characters": len(page)}


def sales(region, days):
    dice = random.Random(region)
    # "west" opened yesterday: it has no manager yet.
    staff = {"manager": MANAGERS[region]} if region in MANAGERS else {}
    return [
        {"day": day, "orders": dice.randrange(40), "cents": dice.randrange(90_000), **staff}
        for day in range(1, days + 1)
    ]


def render(region, rows, best):
    return template.render(region=region, rows=rows, best=best)
