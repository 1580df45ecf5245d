// What rings, and where to read on: every alarm goes to one shared mailbox and names its entry in the runbook.
// Metrics, spans and their attributes are those of shared/telemetry; a test compares each query with that table.

param location string
param tags object
param workspaceId string
param systemTopicId string
param vaultId string

@description('The shared mailbox that every alarm goes to.')
param alertMailbox string

@description('Where the runbook is read: each alarm points to its entry there.')
param runbookUrl string

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'migration-mailbox'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'migration'
    emailReceivers: [
      {
        name: 'shared mailbox'
        emailAddress: alertMailbox
        useCommonAlertSchema: true
      }
    ]
  }
}

// The columns that tell one alarm from another.
var authority = {
  name: 'authority'
  operator: 'Include'
  values: [
    '*'
  ]
}
var reason = {
  name: 'reason'
  operator: 'Include'
  values: [
    '*'
  ]
}
var queue = {
  name: 'queue'
  operator: 'Include'
  values: [
    '*'
  ]
}
var result = {
  name: 'result'
  operator: 'Include'
  values: [
    '*'
  ]
}
var timer = {
  name: 'timer'
  operator: 'Include'
  values: [
    '*'
  ]
}
var function = {
  name: 'function'
  operator: 'Include'
  values: [
    '*'
  ]
}

// Each rings when its query has a row, once for each value of the columns in `by`.
// Severity: 1 nothing goes on, 2 somebody is stuck or will be, 3 good to know within the day.
var rules = [
  {
    name: 'something-is-in-poison'
    title: 'Something is in poison'
    means: 'A message failed five times, or the host died over it.'
    severity: 2
    every: 'PT5M'
    within: 'PT10M'
    lookBack: ''
    by: [
      queue
    ]
    query: '''
AppMetrics
| where Name == "migration.queue.depth"
| extend queue = tostring(Properties.queue)
| where queue endswith "-poison"
| summarize TimeGenerated = max(TimeGenerated), depth = max(Sum) by queue
| where depth > 0
'''
  }
  {
    name: 'the-host-filled-a-poison-queue'
    title: 'The host filled a poison queue'
    means: 'The storage account saw it, whether or not the app is still there to tell.'
    severity: 2
    every: 'PT5M'
    within: 'PT10M'
    lookBack: ''
    by: [
      queue
    ]
    query: '''
StorageQueueLogs
| where OperationName =~ "PutMessage" and toint(StatusCode) < 300
| extend queue = extract("/([a-z-]+-poison)/messages", 1, Uri)
| where isnotempty(queue)
| summarize TimeGenerated = max(TimeGenerated), messages = count() by queue
'''
  }
  {
    name: 'messages-wait-too-long'
    title: 'Messages wait too long'
    means: 'A message that could be taken has been in its queue for over ten minutes.'
    severity: 1
    every: 'PT5M'
    within: 'PT10M'
    lookBack: ''
    by: [
      queue
    ]
    query: '''
AppMetrics
| where Name == "migration.queue.age"
| extend queue = tostring(Properties.queue)
| where queue !endswith "-poison"
| summarize TimeGenerated = max(TimeGenerated), seconds = max(Sum) by queue
| where seconds > 600
'''
  }
  {
    name: 'accounts-wait-too-long'
    title: 'Accounts wait too long'
    means: 'An account of a migration that is not paused has been due for over an hour.'
    severity: 2
    every: 'PT15M'
    within: 'PT15M'
    lookBack: ''
    by: [
      authority
    ]
    query: '''
AppMetrics
| where Name == "migration.account.wait"
| extend authority = tostring(Properties.authority)
| summarize TimeGenerated = max(TimeGenerated), seconds = max(Sum) by authority
| where seconds > 3600
'''
  }
  {
    name: 'accounts-fail'
    title: 'Accounts fail'
    means: 'An account cannot go on and waits for a person.'
    severity: 2
    every: 'PT5M'
    within: 'PT15M'
    lookBack: ''
    by: [
      authority
      reason
    ]
    query: '''
AppMetrics
| where Name == "migration.account.failures"
| where tostring(Properties.state) == "failed"
| summarize TimeGenerated = max(TimeGenerated), accounts = sum(Sum) by authority = tostring(Properties.authority), reason = tostring(Properties.reason)
| where accounts > 0
'''
  }
  {
    name: 'a-migration-stopped'
    title: 'A migration stopped'
    means: 'What would have gone wrong for every account stopped it, with one reason.'
    severity: 1
    every: 'PT5M'
    within: 'PT5M'
    lookBack: ''
    by: [
      authority
      reason
    ]
    query: '''
AppMetrics
| where Name == "migration.paused"
| summarize TimeGenerated = max(TimeGenerated), migrations = max(Sum) by authority = tostring(Properties.authority), reason = tostring(Properties.reason)
| where migrations > 0
'''
  }
  {
    name: 'the-directory-throttles'
    title: 'The directory throttles'
    means: 'More than two of a hundred requests were answered 429 within a quarter of an hour.'
    severity: 3
    every: 'PT15M'
    within: 'PT15M'
    lookBack: ''
    by: []
    query: '''
AppMetrics
| where Name == "migration.directory.requests"
| summarize TimeGenerated = max(TimeGenerated), requests = sum(Sum), throttled = sumif(Sum, tostring(Properties.result) == "throttled")
| where requests >= 100 and throttled / requests > 0.02
'''
  }
  {
    name: 'messages-are-not-sent'
    title: 'Messages are not sent'
    means: 'The message service refused five or more messages of a council within a quarter of an hour, or gave no answer.'
    severity: 2
    every: 'PT15M'
    within: 'PT15M'
    lookBack: ''
    by: [
      authority
      result
    ]
    query: '''
AppMetrics
| where Name == "migration.message.requests"
| extend authority = tostring(Properties.authority), result = tostring(Properties.result)
| where result in ("refused", "lost")
| summarize TimeGenerated = max(TimeGenerated), messages = sum(Sum) by authority, result
| where messages >= 5
'''
  }
  {
    name: 'a-timer-does-not-run'
    title: 'A timer does not run'
    means: 'A timer has not finished a run for longer than it may be silent.'
    severity: 1
    every: 'PT15M'
    within: 'PT15M'
    // A timer of the night is silent all day.
    lookBack: 'P2D'
    by: [
      timer
    ]
    query: '''
let expected = datatable(timer: string, minutes: int) [
    "release_accounts", 15,
    "reconcile", 15,
    "sweep_exports", 15,
    "copy_tables", 1560
];
let talkingSince = toscalar(AppMetrics | where Name startswith "migration." | summarize min(TimeGenerated));
expected
| join kind=leftouter (
    AppMetrics
    | where Name == "migration.timer.runs" and tostring(Properties.result) == "done"
    | summarize last = max(TimeGenerated) by timer = tostring(Properties.timer)
) on timer
| where coalesce(last, talkingSince) < now() - minutes * 1m
| project TimeGenerated = now(), timer, last
'''
  }
  {
    name: 'no-sign-of-life'
    title: 'No sign of life'
    means: 'Not one metric of the app arrived within a quarter of an hour.'
    severity: 1
    every: 'PT5M'
    within: 'PT15M'
    lookBack: ''
    by: []
    query: '''
AppMetrics
| where Name startswith "migration."
| summarize lines = count()
| where lines == 0
| extend TimeGenerated = now()
'''
  }
  {
    name: 'functions-fail'
    title: 'Functions fail'
    means: 'Ten or more runs of a function ended in an error within a quarter of an hour.'
    severity: 2
    every: 'PT15M'
    within: 'PT15M'
    lookBack: ''
    by: [
      function
    ]
    query: '''
AppRequests
| where Success == false and ResultCode !startswith "4"
| summarize TimeGenerated = max(TimeGenerated), runs = sum(ItemCount) by function = Name
| where runs >= 10
'''
  }
  {
    name: 'the-certificate-expires'
    title: 'The certificate expires'
    means: 'The app will not be able to sign in to the directory: fewer than thirty days are left.'
    severity: 2
    every: 'PT1H'
    within: 'PT1H'
    lookBack: ''
    by: []
    query: '''
AppMetrics
| where Name == "migration.certificate.days"
| summarize arg_max(TimeGenerated, Sum)
| where Sum < 30
'''
  }
  {
    name: 'tables-were-lost'
    title: 'Tables were lost'
    means: 'Tables of a council were emptied: nothing is done for it until they are made again.'
    severity: 1
    every: 'PT5M'
    within: 'PT5M'
    lookBack: ''
    by: [
      authority
    ]
    query: '''
AppMetrics
| where Name == "migration.tables.lost"
| summarize TimeGenerated = max(TimeGenerated), tables = max(Sum) by authority = tostring(Properties.authority)
| where tables > 0
'''
  }
  {
    name: 'the-copy-is-old'
    title: 'The copy is old'
    means: 'No night of the last two brought a whole copy of the tables.'
    severity: 2
    every: 'PT1H'
    within: 'PT1H'
    lookBack: ''
    by: []
    query: '''
AppMetrics
| where Name == "migration.copy.age"
| summarize arg_max(TimeGenerated, Sum)
| where Sum > 183600
'''
  }
  {
    name: 'an-upload-was-refused'
    title: 'An upload was refused'
    means: 'A council uploaded a file that could not be taken.'
    severity: 3
    every: 'PT15M'
    within: 'PT15M'
    lookBack: ''
    by: [
      authority
      reason
    ]
    query: '''
AppMetrics
| where Name == "migration.upload.refused"
| summarize TimeGenerated = max(TimeGenerated), files = sum(Sum) by authority = tostring(Properties.authority), reason = tostring(Properties.reason)
| where files > 0
'''
  }
]

resource alarms 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in rules: {
  name: rule.name
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: rule.title
    description: '${rule.means} What to do: ${runbookUrl}#${rule.name}'
    severity: rule.severity
    enabled: true
    scopes: [
      workspaceId
    ]
    evaluationFrequency: rule.every
    windowSize: rule.within
    overrideQueryTimeRange: empty(rule.lookBack) ? null : rule.lookBack
    criteria: {
      allOf: [
        {
          query: rule.query
          timeAggregation: 'Count'
          dimensions: rule.by
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    // It tells when it is over, too.
    autoMitigate: true
    // A table of the workspace exists only when its first line has come.
    skipQueryValidation: true
    actions: {
      actionGroups: [
        people.id
      ]
    }
  }
}]

// What Event Grid could not deliver. The timer `sweep_exports` finds those uploads all the same, a little later.
var lostEvents = [
  {
    name: 'event-grid-gave-up'
    metric: 'DeadLetteredCount'
    means: 'Event Grid could not deliver an event and put it into the container dead-letters.'
  }
  {
    name: 'event-grid-dropped-an-event'
    metric: 'DroppedEventCount'
    means: 'Event Grid could neither deliver an event nor keep it.'
  }
]

resource events 'Microsoft.Insights/metricAlerts@2018-03-01' = [for lost in lostEvents: {
  name: lost.name
  location: 'global'
  tags: tags
  properties: {
    description: '${lost.means} What to do: ${runbookUrl}#${lost.name}'
    severity: 3
    enabled: true
    scopes: [
      systemTopicId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: 'lost'
          criterionType: 'StaticThresholdCriterion'
          metricNamespace: 'Microsoft.EventGrid/systemTopics'
          metricName: lost.metric
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: 0
        }
      ]
    }
    autoMitigate: true
    actions: [
      {
        actionGroupId: people.id
      }
    ]
  }
}]

// The vault knows when its secrets and certificates end, even while the app is down. It tells thirty days before, for
// those that were put there with an end.
resource vaultEvents 'Microsoft.EventGrid/systemTopics@2025-02-15' = {
  name: 'migration-vault-events'
  location: location
  tags: tags
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    source: vaultId
    topicType: 'Microsoft.KeyVault.vaults'
  }
}

resource vaultExpiry 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: vaultEvents
  name: 'a-secret-expires'
  properties: {
    // The only form in which Azure Monitor takes events.
    eventDeliverySchema: 'CloudEventSchemaV1_0'
    filter: {
      includedEventTypes: [
        'Microsoft.KeyVault.CertificateNearExpiry'
        'Microsoft.KeyVault.CertificateExpired'
        'Microsoft.KeyVault.SecretNearExpiry'
        'Microsoft.KeyVault.SecretExpired'
      ]
    }
    destination: {
      endpointType: 'MonitorAlert'
      properties: {
        severity: 'Sev2'
        description: 'A secret or certificate in the vault expires. What to do: ${runbookUrl}#a-secret-expires'
        actionGroups: [
          people.id
        ]
      }
    }
  }
}
