"""From what the other rooms answer to the rows that the screens show."""
