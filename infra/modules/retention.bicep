// What is deleted by itself, and when. docs/privacy.md is the same in words.

param accountName string

@description('Days after which an upload is deleted: it is the council\'s whole file, people and all.')
@minValue(1)
param exportDays int

@description('Days after which reports are deleted. `result.csv` is the proof of the migration, so this is long.')
@minValue(1)
param reportDays int

@description('Days after which reports that list people (`personal/`) are deleted.')
@minValue(1)
param personalReportDays int

@description('Days for which a nightly copy cannot be deleted; it goes the day after.')
@minValue(1)
param backupDays int

@description('Days after which an event that could not be delivered is forgotten. The timer has found its upload long before.')
@minValue(1)
param deadLetterDays int

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: accountName
}

// Azure runs this about once a day, and what it deletes rests in soft delete for `undeleteDays` more.
resource policy 'Microsoft.Storage/storageAccounts/managementPolicies@2025-01-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'exports'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: {
              blobTypes: [
                'blockBlob'
                'appendBlob'
              ]
              prefixMatch: [
                'exports/'
              ]
            }
            actions: {
              baseBlob: {
                delete: {
                  daysAfterModificationGreaterThan: exportDays
                }
              }
              snapshot: {
                delete: {
                  daysAfterCreationGreaterThan: exportDays
                }
              }
            }
          }
        }
        {
          name: 'reports'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: {
              blobTypes: [
                'blockBlob'
              ]
              prefixMatch: [
                'reports/'
              ]
            }
            actions: {
              baseBlob: {
                delete: {
                  daysAfterModificationGreaterThan: reportDays
                }
              }
              snapshot: {
                delete: {
                  daysAfterCreationGreaterThan: reportDays
                }
              }
            }
          }
        }
        {
          // A prefix cannot name the middle of reports/<authority>/<migration>/personal/, so the app marks these blobs
          // with an index tag as it writes them. A blob without it goes with the other reports (ADR 0012).
          name: 'personalReports'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: {
              blobTypes: [
                'blockBlob'
              ]
              prefixMatch: [
                'reports/'
              ]
              blobIndexMatch: [
                {
                  name: 'personal'
                  op: '=='
                  value: 'true'
                }
              ]
            }
            actions: {
              baseBlob: {
                delete: {
                  daysAfterModificationGreaterThan: personalReportDays
                }
              }
            }
          }
        }
        {
          name: 'backups'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: {
              blobTypes: [
                'blockBlob'
              ]
              prefixMatch: [
                'backups/'
              ]
            }
            actions: {
              baseBlob: {
                delete: {
                  daysAfterCreationGreaterThan: backupDays + 1
                }
              }
            }
          }
        }
        {
          name: 'deadLetters'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: {
              blobTypes: [
                'blockBlob'
              ]
              prefixMatch: [
                'dead-letters/'
              ]
            }
            actions: {
              baseBlob: {
                delete: {
                  daysAfterModificationGreaterThan: deadLetterDays
                }
              }
            }
          }
        }
      ]
    }
  }
}
