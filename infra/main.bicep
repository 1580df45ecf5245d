// Everything that runs in the council's own subscription, for `azd up`. What Azure cannot make from here (the app
// registrations, the directory's permissions, the secrets' values) is in infra/README.md and docs/directory-setup.md.

targetScope = 'subscription'

// Where

@description('Name of the azd environment, such as rehearsal or production. The names of all resources follow from it.')
@minLength(1)
@maxLength(20)
param environmentName string

@description('Azure region, such as uksouth: personal data stays in it.')
@minLength(1)
param location string

// The directory: what `python3 -m infra.directory` printed

@description('The directory\'s domain, the issuer of local identities: norfolkidentity.onmicrosoft.com.')
@minLength(1)
param directoryTenant string

@description('The directory\'s tenant id.')
@minLength(36)
@maxLength(36)
param directoryTenantId string

@description('App id of the registration in the directory\'s tenant.')
@minLength(36)
@maxLength(36)
param directoryClientId string

@description('App id of the b2c-extensions-app, with or without hyphens.')
@minLength(32)
@maxLength(36)
param directoryExtensionsAppId string

@description('Name of the certificate in the vault. A renewed one has another name, so that the app changes over when the directory trusts it and not before.')
@minLength(1)
param certificateName string = 'directory-certificate'

@description('Microsoft Graph.')
param directoryGraphUrl string = 'https://graph.microsoft.com/v1.0'

@description('Writes that the directory allows in a window, and how much of it we take.')
@minValue(1)
param directoryWriteLimit int = 3000

@minValue(1)
param directoryWriteWindowSeconds int = 150

param directoryWriteShare string = '0.98'

@description('Resource units that the directory allows in a window (3500, 5000 or 8000 by its size), and how much of it classification takes.')
@minValue(1)
param directoryReadLimit int = 3500

@minValue(1)
param directoryReadWindowSeconds int = 10

param directoryReadShare string = '0.5'

// People

@description('Client id of the registration for sign-in in this tenant: what `python3 -m infra.sign_in` printed. Empty at first: then nobody gets in.')
param signInClientId string = ''

@description('Who may upload for which council: [{ authority, principalId, principalType }].')
param uploaders array = []

@description('Who watches in the portal: [{ principalId, principalType }].')
param operators array = []

@description('Who puts certificate and keys into the vault: [{ principalId, principalType }].')
param keepers array = []

@description('The shared mailbox that every alarm goes to.')
@minLength(3)
param alertMailbox string

@description('Where the runbook is read: each alarm points to its entry there.')
@minLength(1)
param runbookUrl string

// Councils and messages

@description('The councils: one profile each in authorities/. A test keeps both equal.')
param authorities array = [
  'great-yarmouth'
  'south-norfolk'
]

@allowed([
  'govuk-notify'
  'none'
])
param notifyProvider string = 'govuk-notify'

param notifyUrl string = 'https://api.notifications.service.gov.uk'

@description('Messages that GOV.UK Notify takes of one key in a minute.')
@minValue(1)
param notifyRatePerMinute int = 3000

@description('True where the vault holds `notify-api-key`, for councils without a key of their own.')
param commonNotifyKey bool = false

@description('The councils whose own key the vault holds, `notify-api-key-<authority>`.')
param ownNotifyKeys array = authorities

// Size. The directory\'s quota is the limit: one instance of the slowest step fills it.

@allowed([
  512
  2048
  4096
])
param instanceMemoryMB int = 2048

@description('Most instances of each queue function. Microsoft\'s own pages disagree about the least that Azure takes: 1 (2026) or 40 (before). Should Azure refuse this, take 40: the quota holds with any number of instances.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 4

@description('How storage is kept: over the datacentres of the region, or of two regions.')
@allowed([
  'Standard_ZRS'
  'Standard_GZRS'
  'Standard_LRS'
])
param redundancy string = 'Standard_ZRS'

// How long things are kept (docs/privacy.md)

@description('Days after which an upload is deleted.')
param exportDays int = 90

@description('Days after which reports are deleted, those that list people sooner.')
param reportDays int = 730

param personalReportDays int = 90

@description('Days for which a nightly copy of the tables can be changed by nobody; it is deleted the day after.')
param backupDays int = 30

@description('True once a person has locked the policy of the container `backups` (infra/README.md).')
param backupsLocked bool = false

@description('Days for which what was deleted from storage can be brought back.')
param undeleteDays int = 7

param deadLetterDays int = 30

@description('Days for which logs are kept, and gigabytes a day after which no more are taken.')
param logDays int = 90

param logCapGb int = 2

@description('False to let `azd down` delete the data account: for rehearsals.')
param lockData bool = true

// Network

@description('True to close storage and vault: only the private network, Azure services and the named addresses get in.')
param privateNetwork bool = false

@description('Addresses of the private network. They only have to be free in the networks that it is joined to.')
param networkRange string = '10.64.0.0/24'

param appRange string = '10.64.0.0/26'

param endpointsRange string = '10.64.0.64/26'

@description('Public addresses or ranges that get in although all is closed: the offices that upload and keep secrets.')
param allowedAddresses array = []

var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = {
  'azd-env-name': environmentName
  application: 'customer-account-migration'
}

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-migration-${environmentName}'
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    name: 'id-migration-${token}'
    location: location
    tags: tags
  }
}

module monitor 'modules/monitor.bicep' = {
  name: 'monitor'
  scope: group
  params: {
    workspaceName: 'log-migration-${token}'
    insightsName: 'appi-migration-${token}'
    location: location
    tags: tags
    retentionDays: logDays
    dailyCapGb: logCapGb
  }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  name: 'network'
  scope: group
  params: {
    name: 'vnet-migration-${token}'
    location: location
    tags: tags
    addressRange: networkRange
    appRange: appRange
    endpointsRange: endpointsRange
  }
}

module storageHost 'modules/storage-host.bicep' = {
  name: 'storage-host'
  scope: group
  params: {
    name: 'sthost${token}'
    location: location
    tags: tags
    redundancy: redundancy
    closed: privateNetwork
    allowedAddresses: allowedAddresses
  }
}

module storageData 'modules/storage-data.bicep' = {
  name: 'storage-data'
  scope: group
  params: {
    name: 'stdata${token}'
    location: location
    tags: tags
    redundancy: redundancy
    closed: privateNetwork
    allowedAddresses: allowedAddresses
    undeleteDays: undeleteDays
    backupDays: backupDays
    backupsLocked: backupsLocked
    lockData: lockData
  }
}

module retention 'modules/retention.bicep' = {
  name: 'retention'
  scope: group
  params: {
    accountName: storageData.outputs.name
    exportDays: exportDays
    reportDays: reportDays
    personalReportDays: personalReportDays
    backupDays: backupDays
    deadLetterDays: deadLetterDays
  }
}

module vault 'modules/vault.bicep' = {
  name: 'vault'
  scope: group
  params: {
    name: 'kv-${token}'
    location: location
    tags: tags
    closed: privateNetwork
    allowedAddresses: allowedAddresses
  }
}

module privateEndpoints 'modules/private-endpoints.bicep' = if (privateNetwork) {
  name: 'private-endpoints'
  scope: group
  params: {
    location: location
    tags: tags
    networkId: privateNetwork ? network.outputs.networkId : ''
    subnetId: privateNetwork ? network.outputs.endpointsSubnetId : ''
    hostAccountName: storageHost.outputs.name
    hostAccountId: storageHost.outputs.id
    dataAccountName: storageData.outputs.name
    dataAccountId: storageData.outputs.id
    vaultName: vault.outputs.name
    vaultId: vault.outputs.id
  }
}

// Rights come before the settings: a reference to the vault that cannot be read at first is tried again only a day later.
module rolesApp 'modules/roles-app.bicep' = {
  name: 'roles-app'
  scope: group
  params: {
    principalId: identity.outputs.principalId
    hostAccountName: storageHost.outputs.name
    dataAccountName: storageData.outputs.name
    vaultName: vault.outputs.name
    insightsName: monitor.outputs.insightsName
  }
}

module rolesPeople 'modules/roles-people.bicep' = {
  name: 'roles-people'
  scope: group
  params: {
    dataAccountName: storageData.outputs.name
    vaultName: vault.outputs.name
    operators: operators
    keepers: keepers
  }
}

module uploadRights 'modules/upload-rights.bicep' = {
  name: 'upload-rights'
  scope: group
  params: {
    dataAccountName: storageData.outputs.name
    uploaders: uploaders
  }
}

module events 'modules/events.bicep' = {
  name: 'events'
  scope: group
  params: {
    topicName: 'evgt-migration-${token}'
    location: location
    tags: tags
    accountName: storageData.outputs.name
  }
}

module app 'modules/app.bicep' = {
  name: 'app'
  scope: group
  params: {
    planName: 'plan-migration-${token}'
    appName: 'func-migration-${token}'
    location: location
    tags: tags
    identityId: identity.outputs.id
    packagesUrl: storageHost.outputs.packagesUrl
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    subnetId: privateNetwork ? network.outputs.appSubnetId : ''
  }
  dependsOn: [
    rolesApp
    privateEndpoints
  ]
}

module appSettings 'modules/app-settings.bicep' = {
  name: 'app-settings'
  scope: group
  params: {
    appName: app.outputs.name
    vaultName: vault.outputs.name
    identityClientId: identity.outputs.clientId
    hostBlobEndpoint: storageHost.outputs.blobEndpoint
    hostQueueEndpoint: storageHost.outputs.queueEndpoint
    hostTableEndpoint: storageHost.outputs.tableEndpoint
    dataBlobEndpoint: storageData.outputs.blobEndpoint
    dataQueueEndpoint: storageData.outputs.queueEndpoint
    dataTableEndpoint: storageData.outputs.tableEndpoint
    insightsConnectionString: monitor.outputs.connectionString
    directoryTenant: directoryTenant
    directoryTenantId: directoryTenantId
    directoryClientId: directoryClientId
    directoryExtensionsAppId: directoryExtensionsAppId
    certificateName: certificateName
    directoryGraphUrl: directoryGraphUrl
    directoryWriteLimit: directoryWriteLimit
    directoryWriteWindowSeconds: directoryWriteWindowSeconds
    directoryWriteShare: directoryWriteShare
    directoryReadLimit: directoryReadLimit
    directoryReadWindowSeconds: directoryReadWindowSeconds
    directoryReadShare: directoryReadShare
    notifyProvider: notifyProvider
    notifyUrl: notifyUrl
    notifyRatePerMinute: notifyRatePerMinute
    commonNotifyKey: commonNotifyKey
    ownNotifyKeys: ownNotifyKeys
  }
}

// After the settings, which name the identity that vouches for the registration.
module signIn 'modules/sign-in.bicep' = {
  name: 'sign-in'
  scope: group
  params: {
    appName: app.outputs.name
    clientId: signInClientId
  }
  dependsOn: [
    appSettings
  ]
}

module diagnostics 'modules/diagnostics.bicep' = {
  name: 'diagnostics'
  scope: group
  params: {
    workspaceId: monitor.outputs.workspaceId
    dataAccountName: storageData.outputs.name
    vaultName: vault.outputs.name
    topicName: events.outputs.topicName
    appName: app.outputs.name
  }
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    location: location
    tags: tags
    workspaceId: monitor.outputs.workspaceId
    systemTopicId: events.outputs.topicId
    vaultId: vault.outputs.id
    alertMailbox: alertMailbox
    runbookUrl: runbookUrl
  }
  // The alarms read the tables of the workspace that these fill.
  dependsOn: [
    diagnostics
  ]
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  scope: group
  params: {
    location: location
    tags: tags
    workspaceId: monitor.outputs.workspaceId
    name: guid(group.id, 'migration-workbook')
  }
}

// azd keeps these in its environment; people need them for `az`, `ops` and the two scripts.
output AZURE_LOCATION string = location
output AZURE_TENANT_ID string = tenant().tenantId
output AZURE_RESOURCE_GROUP string = group.name
output APP_NAME string = app.outputs.name
output OPS_URL string = app.outputs.uri
output DATA_ACCOUNT_NAME string = storageData.outputs.name
output VAULT_NAME string = vault.outputs.name
output IDENTITY_PRINCIPAL_ID string = identity.outputs.principalId
