"""The host's side of a deployment. It needs Python 3.11 and nothing else: it is carried to hosts that have no opsctl.

    python3 agent.pyz observe < request.json     what there is of the resources asked for
    python3 agent.pyz survey                     what somebody could have added besides
    python3 agent.pyz missing < request.json     which wheels of programs have to come over
    python3 agent.pyz store < wheels             take them in
    python3 agent.pyz apply DIRECTORY            make a bundle's changes, or none of them
    python3 agent.pyz release DIRECTORY          put a release of an application in place of the one before
    python3 agent.pyz rollback DIRECTORY         go back to one before
    python3 agent.pyz releases < request.json    what releases there are
    python3 agent.pyz restore < archive          put what was restored elsewhere in place, where there is nothing
    python3 agent.pyz confirm ID                 a person is still let in: keep a guarded change
    python3 agent.pyz revert ID                  nobody confirmed in time: take it back
    python3 agent.pyz resume                     what was interrupted: name what waits, take back what is not whole

Everything it is told and everything it says is JSON; its exit status is 0 when it could say it.
"""
