"""Why a line is in a plan. One door: `explain_line`, or `Explainer` for several lines of one plan.

`ends` says what happens at both ends with and without the line, `room` what its
limits leave, `sources` which other source came next and why it lost, `sensitivity`
what would have to change for the line not to pay; `plan` what binds a plan as a whole; `words` says it. Values are the
independent evaluator's, with the rest of the plan as it is.
"""

from tools.explanation.ends import EndOfLine
from tools.explanation.line import Explainer, LineExplanation, explain_line
from tools.explanation.plan import PlanBindings, bindings_of
from tools.explanation.sensitivity import Sensitivity
from tools.explanation.sources import OtherSource
from tools.planning.room import Constraint, Room

__all__ = [
    "Constraint",
    "EndOfLine",
    "Explainer",
    "LineExplanation",
    "OtherSource",
    "PlanBindings",
    "Room",
    "Sensitivity",
    "bindings_of",
    "explain_line",
]
