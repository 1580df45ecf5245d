# mypy: ignore-errors
"""Names that vulture reports as unused although they are used, with the reason. This file is never run."""

# Fields of requests and answers that a library reads or writes by itself.
_.inout
_.undefined
_.query_keys
_.retry_attempt
_.phone_number
_.sms_sender_id
_.postage
_.include_jobs
_.switched_by
_.directory_only
_.directory_kind
_.email_verified
_.postcode
_.switched

# Rules that pydantic calls.
_._check_dates
_._check_switch
_._check_uploader
_._check_everybody
_._check_one_choice
_._has_credentials

# Methods and attributes that a base class of a library calls or reads.
_.tracer
_._create_new_node
_.get_root_parse_node
_.do_GET
_.do_POST
_.log_message
_.handle_starttag
_.handle_startendtag
_.handle_endtag
_.handle_data
_.http_method
_.password_profile
_.__class__

# Imported for annotations, which the library reads at run time.
Parsable
ParsableFactory
ParseNode
ParseNodeFactory
MetricReader
SpanProcessor

# Members of an enumeration that people write in a profile or in a request.
_.FRI
_.SAT
_.SUN
_.DROP_BEFORE

# Read by the template of the assessment page.
_.font
_.label_x
_.left_top
_.left_height
_.announces

# Commands that typer finds by their decorator.
list_waves
approve
reject
supersede
