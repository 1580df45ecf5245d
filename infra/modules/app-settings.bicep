// Every setting of the app. The names are those of shared/settings/settings.py and shared/adapters/storage/clients.py; a test keeps them equal.
// Settings that Flex Consumption refuses (FUNCTIONS_WORKER_RUNTIME and its like) are in functionAppConfig of app.bicep instead.

param appName string
param vaultName string
param identityClientId string

param hostBlobEndpoint string
param hostQueueEndpoint string
param hostTableEndpoint string
param dataBlobEndpoint string
param dataQueueEndpoint string
param dataTableEndpoint string

param insightsConnectionString string

param directoryTenant string
param directoryTenantId string
param directoryClientId string
param directoryExtensionsAppId string

@description('Name of the certificate in the vault by which the app proves itself to the directory.')
param certificateName string

param directoryGraphUrl string
param directoryWriteLimit int
param directoryWriteWindowSeconds int
param directoryWriteShare string
param directoryReadLimit int
param directoryReadWindowSeconds int
param directoryReadShare string

param notifyProvider string
param notifyUrl string
param notifyRatePerMinute int

@description('True where the vault holds `notify-api-key`, for councils without a key of their own.')
param commonNotifyKey bool

@description('The councils that have a Notify key of their own in the vault, `notify-api-key-<authority>`.')
param ownNotifyKeys array

// A reference that cannot be resolved reaches the app as this very text, so only secrets that are there are referred to.
var reference = '@Microsoft.KeyVault(VaultName=${vaultName};SecretName='
var tells = notifyProvider == 'govuk-notify'

// NOTIFY_API_KEY_SOUTH_NORFOLK and the like: each council's customers hear from their council.
// An object out of a list without toObject(): checkov's parser does not know that function and would skip this file.
var councilKey = [for authority in ownNotifyKeys: '"NOTIFY_API_KEY_${toUpper(replace(authority, '-', '_'))}":"${reference}notify-api-key-${authority})"']
var councilKeys = json(tells ? '{${join(councilKey, ',')}}' : '{}')

var settings = {
  AzureWebJobsStorage__blobServiceUri: hostBlobEndpoint
  AzureWebJobsStorage__queueServiceUri: hostQueueEndpoint
  AzureWebJobsStorage__tableServiceUri: hostTableEndpoint
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId

  MigrationStorage__blobServiceUri: dataBlobEndpoint
  MigrationStorage__queueServiceUri: dataQueueEndpoint
  MigrationStorage__tableServiceUri: dataTableEndpoint
  MigrationStorage__credential: 'managedidentity'
  MigrationStorage__clientId: identityClientId

  APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'

  // Telemetry (shared/telemetry/): the worker sends its own logs, spans and metrics, and the host does not send them again.
  PYTHON_ENABLE_OPENTELEMETRY: 'true'
  OTEL_SERVICE_NAME: 'customer-account-migration'
  // Every account has its trace. Unset, five spans a second would be kept and the rest lost.
  OTEL_TRACES_SAMPLER: 'parentbased_always_on'
  // Once a minute: the alarms count on it.
  OTEL_METRIC_EXPORT_INTERVAL: '60000'
  // Libraries would record whole addresses, and those of look-ups hold e-mail addresses. The code turns them off too.
  OTEL_PYTHON_DISABLED_INSTRUMENTATIONS: 'azure_sdk,django,fastapi,flask,httpx,httpx2,psycopg2,requests,urllib,urllib3'
  // No statistics to Microsoft about the exporter, and nothing that is switched on from afar.
  APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL: 'true'
  APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED: 'true'

  // Easy Auth proves the app's own registration by the managed identity, so there is no client secret to lose or renew.
  OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID: identityClientId
  WEBSITE_AUTH_AAD_ALLOWED_TENANTS: tenant().tenantId

  DIRECTORY_KIND: 'b2c'
  DIRECTORY_TENANT: directoryTenant
  DIRECTORY_TENANT_ID: directoryTenantId
  DIRECTORY_CLIENT_ID: directoryClientId
  // The secret of the same name as the certificate: PKCS#12 in base64, private key included.
  DIRECTORY_CLIENT_CERTIFICATE: '${reference}${certificateName})'
  // The certificate is the only way in. Empty here, so that a secret set by hand goes with the next deployment.
  DIRECTORY_CLIENT_SECRET: ''
  DIRECTORY_GRAPH_URL: directoryGraphUrl
  DIRECTORY_EXTENSIONS_APP_ID: directoryExtensionsAppId
  DIRECTORY_WRITE_LIMIT: string(directoryWriteLimit)
  DIRECTORY_WRITE_WINDOW_SECONDS: string(directoryWriteWindowSeconds)
  DIRECTORY_WRITE_SHARE: directoryWriteShare
  DIRECTORY_READ_LIMIT: string(directoryReadLimit)
  DIRECTORY_READ_WINDOW_SECONDS: string(directoryReadWindowSeconds)
  DIRECTORY_READ_SHARE: directoryReadShare

  NOTIFY_PROVIDER: notifyProvider
  NOTIFY_URL: notifyUrl
  NOTIFY_RATE_PER_MINUTE: string(notifyRatePerMinute)
  NOTIFY_API_KEY: tells && commonNotifyKey ? '${reference}notify-api-key)' : ''

  PSEUDONYM_KEY: '${reference}pseudonym-key)'
  AUTHORITIES_FOLDER: 'authorities'

  // When the timers run (shared/settings/schedules.py): second, minute, hour, day, month, day of the week, in UTC.
  RELEASE_ACCOUNTS_SCHEDULE: '*/5 * * * * *'
  RECONCILE_SCHEDULE: '*/10 * * * * *'
  SWEEP_EXPORTS_SCHEDULE: '0 * * * * *'
  COPY_TABLES_SCHEDULE: '0 */10 2-5 * * *'
}

resource app 'Microsoft.Web/sites@2024-11-01' existing = {
  name: appName
}

resource appSettings 'Microsoft.Web/sites/config@2024-11-01' = {
  // checkov:skip=CKV_AZURE_13: sign-in.bicep is the authentication; this resource holds settings
  // checkov:skip=CKV_AZURE_63: a property of the site's own configuration, not of this resource; the platform's logs go to the workspace
  // checkov:skip=CKV_AZURE_65: a property of the site's own configuration, and of Windows
  // checkov:skip=CKV_AZURE_66: a property of the site's own configuration, and of Windows
  // checkov:skip=CKV_AZURE_80: there is no .NET in a Python app
  // checkov:skip=CKV_AZURE_88: Flex Consumption keeps the app in a blob container, not in Azure Files
  // checkov:skip=CKV_AZURE_222: a property of the site; Easy Auth stands before every function
  parent: app
  name: 'appsettings'
  properties: union(settings, councilKeys)
}
