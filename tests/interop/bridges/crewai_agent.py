"""A flow of CrewAI that waits for feedback; in an environment of its own.

Its argument is a JSON object: `do` is `start` or `resume`, and more for some. Flows are in `flows.db`, and the id of
the last one in `flow.txt`. The step after the feedback notes it in `got.txt` of the working folder.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from crewai.flow import Flow, human_feedback, listen, start
from crewai.flow.async_feedback import HumanFeedbackPending
from crewai.flow.persistence import SQLiteFlowPersistence

from handoffs.bridges.crewai import Pausing, resume_sync
from handoffs.bridges.pauses import StillPaused
from handoffs.client import NotAnswered
from handoffs.core.errors import HandoffError

sys.stdout = sys.stderr  # CrewAI draws boxes there

JOB = json.loads(sys.argv[1])
KEPT = Path("flow.txt")


class Review(Flow):
    @start()
    @human_feedback("Publish this?", provider=Pausing(), metadata=JOB.get("metadata"), emit=JOB.get("emit"))
    def draft(self) -> Any:
        return {"title": "Refunds", "euros": 1200}

    @listen(draft)
    def publish(self) -> Any:
        if JOB.get("die"):
            os._exit(9)
        time.sleep(JOB.get("slow", 0))
        with Path("got.txt").open("a") as got:
            got.write(f"{json.dumps(self.last_human_feedback.feedback)}\n")
        return "Done."


def run() -> Any:
    persistence = SQLiteFlowPersistence("flows.db")
    if JOB["do"] == "start":
        pending = Review(persistence=persistence, suppress_flow_events=True).kickoff()
        assert isinstance(pending, HumanFeedbackPending)
        KEPT.write_text(pending.context.flow_id)
        return "paused"
    ways = {name: JOB[name] for name in ("wait", "timeout") if name in JOB}
    unanswered = (lambda ended: JOB["unanswered"]) if "unanswered" in JOB else None
    return resume_sync(
        Review, KEPT.read_text(), persistence, unanswered=unanswered, make={"suppress_flow_events": True}, **ways
    )


try:
    result = run()
except StillPaused as paused:
    result = {"paused": paused.handoff_ids}
except NotAnswered as ended:
    result = {"ended": type(ended).__name__}
except HandoffError as wrong:
    result = {"wrong": str(wrong)}
print(json.dumps(result), file=sys.__stdout__)
