"""The backbone for twistd, configured by the environment: ``twistd -ny caucus.tac``."""

from twisted.application.service import Application

from caucus.tap import Options, makeService

options = Options()
options.parseOptions([])
application = Application("caucus")
makeService(options).setServiceParent(application)
