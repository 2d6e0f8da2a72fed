"""Where events come from: one folder for each kind of trigger."""
