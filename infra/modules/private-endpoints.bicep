// Private addresses of storage and vault in the private network, and the names by which the app finds them.

param location string
param tags object
param networkId string
param subnetId string
param hostAccountName string
param hostAccountId string
param dataAccountName string
param dataAccountId string
param vaultName string
param vaultId string

var storage = environment().suffixes.storage

var zones = [
  'privatelink.blob.${storage}'
  'privatelink.queue.${storage}'
  'privatelink.table.${storage}'
  'privatelink.vaultcore.azure.net'
]

var endpoints = [
  { name: '${dataAccountName}-blob', target: dataAccountId, group: 'blob', zone: 0 }
  { name: '${dataAccountName}-queue', target: dataAccountId, group: 'queue', zone: 1 }
  { name: '${dataAccountName}-table', target: dataAccountId, group: 'table', zone: 2 }
  { name: '${hostAccountName}-blob', target: hostAccountId, group: 'blob', zone: 0 }
  { name: '${hostAccountName}-queue', target: hostAccountId, group: 'queue', zone: 1 }
  { name: '${hostAccountName}-table', target: hostAccountId, group: 'table', zone: 2 }
  { name: '${vaultName}-vault', target: vaultId, group: 'vault', zone: 3 }
]

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = [for item in zones: {
  name: item
  location: 'global'
  tags: tags
}]

resource link 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [for (item, index) in zones: {
  parent: zone[index]
  name: 'migration'
  location: 'global'
  tags: tags
  properties: {
    registrationEnabled: false
    virtualNetwork: {
      id: networkId
    }
  }
}]

resource endpoint 'Microsoft.Network/privateEndpoints@2024-07-01' = [for item in endpoints: {
  name: item.name
  location: location
  tags: tags
  properties: {
    subnet: {
      id: subnetId
    }
    privateLinkServiceConnections: [
      {
        name: item.group
        properties: {
          privateLinkServiceId: item.target
          groupIds: [
            item.group
          ]
        }
      }
    ]
  }
}]

resource names 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-07-01' = [for (item, index) in endpoints: {
  parent: endpoint[index]
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: item.group
        properties: {
          privateDnsZoneId: zone[item.zone].id
        }
      }
    ]
  }
}]
