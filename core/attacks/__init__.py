"""What an attacker does: a trigger, which images carry it, and what they are labelled as."""
