"""The keys of a policy file that say whose decision it is. Apart, as most policies have none of them."""

KEYS = ("to", "votes", "each", "refusals", "proof", "visible", "remind", "escalate")
