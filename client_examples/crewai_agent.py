"""A flow of CrewAI that waits for a person before it pays. What they write is read by the flow itself, and by no model.

CrewAI and this package want other versions of mcp, so it is no extra: docs/bridges.md says how both are installed.
"""

from pathlib import Path

from crewai.flow import Flow, human_feedback, listen, start
from crewai.flow.async_feedback import HumanFeedbackPending
from crewai.flow.persistence import SQLiteFlowPersistence

from handoffs.bridges.crewai import Pausing, resume_sync

KEPT = Path("paused-flow.txt")


class Refund(Flow):
    """Pays only what a person has picked."""

    @start()
    @human_feedback("Pay this?", provider=Pausing(), metadata={"options": ["pay", "do not pay"]})
    def draft(self):
        return {"customer": "Ada", "euros": 1200}

    @listen(draft)
    def pay(self):
        told = self.last_human_feedback.feedback
        if told != "pay":
            return f"Nothing was paid. I was told: {told}"
        return "Paid 1200 euros to Ada."


def main() -> None:
    persistence = SQLiteFlowPersistence("flows.db")
    if not KEPT.exists():
        pending = Refund(persistence=persistence).kickoff()
        assert isinstance(pending, HumanFeedbackPending)
        KEPT.write_text(pending.context.flow_id)
    print(resume_sync(Refund, KEPT.read_text(), persistence, server="shop"))
    KEPT.unlink()


if __name__ == "__main__":
    main()
