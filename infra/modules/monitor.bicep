// Where logs, traces and metrics go. Nothing personal is ever sent here (docs/privacy.md).

param workspaceName string
param insightsName string
param location string
param tags object

@description('Days for which logs are kept. They hold ids only, so this is a matter of cost and of looking back.')
@minValue(30)
@maxValue(730)
param retentionDays int

@description('Gigabytes a day after which nothing more is taken until the next day: a fault that loops must not cost a fortune.')
@minValue(1)
param dailyCapGb int

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' = {
  name: workspaceName
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: retentionDays
    workspaceCapping: {
      dailyQuotaGb: dailyCapGb
    }
    features: {
      // No workspace keys: who writes or reads has a role.
      disableLocalAuth: true
      // Whoever may see a resource may see its logs, and needs no right on the whole workspace.
      enableLogAccessUsingOnlyResourcePermissions: true
    }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: insightsName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    IngestionMode: 'LogAnalytics'
    // The connection string alone must not be enough to write: the app proves itself by its identity.
    DisableLocalAuth: true
  }
}

output workspaceId string = workspace.id
output insightsName string = insights.name
output connectionString string = insights.properties.ConnectionString
