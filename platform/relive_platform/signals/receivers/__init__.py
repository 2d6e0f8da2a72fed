"""Where signals come from. A receiver makes a `Flow` of what it got."""
