"""HTTP for programs: the questions of one caller, beside MCP and under the same tokens. Nothing answers here."""
