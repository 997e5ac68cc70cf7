"""Several handoffs in a row: choose a format and confirm it, then go through a plan step by step."""

import csv
import json
import tempfile
from pathlib import Path

from strands import Agent

from handoffs.strands import HandoffClient, HandoffPlugin, approved, load_env, run, tutorial_model

SALES = [{"month": "January", "sales": 120}, {"month": "February", "sales": 95}]
PLAN = ["Back up the database", "Stop the service", "Migrate the tables", "Start the service"]


def main() -> None:
    agent = Agent(model=tutorial_model(), tools=[HandoffClient()], plugins=[HandoffPlugin()])
    export_report(agent, Path(tempfile.mkdtemp(prefix="handoffs-multi-step-")))
    carry_out_plan(agent)


def export_report(agent: Agent, folder: Path) -> None:
    """The second question depends on the first answer."""
    choice = agent.tool.handoff_to_user(message="Which format shall the report have?", options=["json", "csv"])
    if choice["status"] != "SUCCESS":
        print(f"{choice['status']}: no format was chosen, so there is no report.")
        return
    report = folder / f"report.{choice['values']['response']}"

    if not approved(agent.tool.handoff_to_user(message=f"Write {report}?", options=["yes", "no"])):
        print("Not confirmed: nothing was written.")
        return
    with report.open("w", newline="") as file:
        if report.suffix == ".json":
            json.dump(SALES, file, indent=2)
        else:
            writer = csv.DictWriter(file, SALES[0])
            writer.writeheader()
            writer.writerows(SALES)
    print(f"Wrote {report}.")


def carry_out_plan(agent: Agent) -> None:
    """Every step has its own yes; the first one that is not approved ends the plan."""
    for number, step in enumerate(PLAN, 1):
        question = f"Step {number} of {len(PLAN)}: **{step}**. Go on?"
        response = agent.tool.handoff_to_user(message=question, options=["yes", "no"])
        if not approved(response):
            print(f"Stopped before step {number}, {step}.")
            return
        print(f"Done: {step}")
    print("The whole plan is done.")


if __name__ == "__main__":
    load_env()
    run(main)
