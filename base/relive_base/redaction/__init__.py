"""What is secret, and how it leaves texts and values before they are written: `redactor` is the way in."""
