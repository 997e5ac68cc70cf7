from handoffs.client import Cancelled as Cancelled
from handoffs.client import Declined as Declined
from handoffs.client import Expired as Expired
from handoffs.client import NotAnswered as NotAnswered
from handoffs.client import Outcome as Outcome
from handoffs.client import Pending as Pending
from handoffs.client import Status as Status
from handoffs.client import Unusable as Unusable
from handoffs.client import ask as ask
from handoffs.client import ask_sync as ask_sync

__version__: str
