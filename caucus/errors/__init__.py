"""Every refusal: one class per code, with typed fields and no HTTP status.

``code`` is public and permanent; ``str(error)`` is the sentence that a person reads. The
sentences keep the fragments from which the existing clients rebuild an error's figures. An error is
made where it is raised and never kept: each raise would add to what its traceback holds on to.
"""

from caucus.errors.client import *
from caucus.errors.edge import *
from caucus.errors.root import *
from caucus.errors.rules import *
from caucus.errors.storage import *
