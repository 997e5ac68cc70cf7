"""Access requests of AuthZEN: a decision point denied something, and lets it be asked for; a person decides on it.

By the AuthZEN Access Request and Approval Profile 1.0, draft 1 (OpenID Foundation, June 2026), single requests with
re-evaluation. See `docs/programs.md` for what is left out.
"""
