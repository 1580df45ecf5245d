"""The table of contents: every function of the app, in the order in which work flows.

Each line registers one file of `functions/`. `shared/` has the steps and their rules, one package for each capability.
"""

import azure.functions as func

from functions import (
    adopt_plan,
    canary,
    classify_account,
    copy_tables,
    doctor,
    notify_customer,
    operations,
    plans,
    provision_account,
    rebuild,
    receive_export,
    reconcile,
    release_accounts,
    stage_rows,
    stage_suppressions,
    sweep_exports,
    waves,
)
from shared.runtime import wiring

wiring.check_start()

app = func.FunctionApp()

app.register_functions(receive_export.blueprint)  # an upload is taken, or refused with the reason
app.register_functions(sweep_exports.blueprint)  # finds the uploads of which no event told
app.register_functions(stage_rows.blueprint)  # its rows become accounts, piece by piece
app.register_functions(stage_suppressions.blueprint)  # a list of people whom the migration leaves alone
app.register_functions(release_accounts.blueprint)  # the gate's feeder: gives accounts their moment
app.register_functions(classify_account.blueprint)  # create, link or review
app.register_functions(adopt_plan.blueprint)  # the accounts of an approved plan may be moved
app.register_functions(provision_account.blueprint)  # the one change in the directory
app.register_functions(notify_customer.blueprint)  # the one message to the customer
app.register_functions(reconcile.blueprint)  # the walk: what is lost, what is done, the reports
app.register_functions(copy_tables.blueprint)  # a copy of the tables every night: Table Storage has no restore
app.register_functions(operations.blueprint)  # status, poison, pause, resume, cancel: for people
app.register_functions(plans.blueprint)  # a plan is read and signed before anything is changed
app.register_functions(waves.blueprint)  # a wave is opened, the portal has switched, a case has an owner
app.register_functions(canary.blueprint)  # a test customer goes the whole way before anybody else does
app.register_functions(doctor.blueprint)  # every prerequisite, and how to mend what is missing
app.register_functions(rebuild.blueprint)  # makes the tables again after they were emptied
