import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { Extractor, ExtractorConfig, ExtractorLogLevel, type IConfigFile } from '@microsoft/api-extractor'
import { type Door, doorsOf, publicPackages, type WorkspacePackage, workspaceRoot } from './lib/workspace.ts'

// Writes packages/*/api/*.api.md, one report a door, from the built declarations; with --check it only compares.
// Usage: pnpm api | pnpm api:check

const check = process.argv.includes('--check')
const problems: string[] = []
let reportCount = 0

for (const found of publicPackages().filter(({ path }) => path.startsWith('packages/'))) {
  const reportFolder = join(found.dir, 'api')
  mkdirSync(reportFolder, { recursive: true })
  const reports = doorsOf(found).map((door) => ({ door, file: reportFileOf(found, door) }))
  for (const { door, file } of reports) {
    reportCount += 1
    if (existsSync(join(found.dir, door.types))) report(found, door, reportFolder, file)
    else problems.push(`${found.path}/${door.types}: missing: run \`pnpm build\``)
  }
  for (const stale of readdirSync(reportFolder).filter((name) => !reports.some(({ file }) => file === name))) {
    if (check) problems.push(`${found.path}/api/${stale}:1: no entry of package.json has this report: run \`pnpm api\``)
    else rmSync(join(reportFolder, stale))
  }
}

for (const problem of problems) console.error(problem)
console.log(`api: ${reportCount} reports, ${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1

/** `core.api.md` for `.`, `core-backend.api.md` for `./backend`. */
function reportFileOf(found: WorkspacePackage, door: Door): string {
  return `${[found.path.split('/')[1], ...door.subpath.split('/').slice(1)].join('-')}.api.md`
}

function report(found: WorkspacePackage, door: Door, reportFolder: string, reportFile: string): void {
  const shown = relative(workspaceRoot, join(reportFolder, reportFile))
  const { apiReportChanged } = Extractor.invoke(extractorConfig(found, door, reportFolder, reportFile), {
    localBuild: !check,
    messageCallback(message) {
      message.handled = true
      if (message.logLevel !== ExtractorLogLevel.Error && message.logLevel !== ExtractorLogLevel.Warning) return
      // The report itself is compared below; what is left is a fault in the API, such as a type that is used but not exported.
      if (message.messageId.startsWith('console-api-report-')) return
      const place = message.sourceFilePath === undefined ? shown : relative(workspaceRoot, message.sourceFilePath)
      problems.push(`${place}:${message.sourceFileLine ?? 1}: ${message.text} (${message.messageId})`)
    },
  })
  if (!apiReportChanged) return
  if (check) {
    problems.push(
      `${shown}:1: the public API of ${door.specifier} differs: run \`pnpm api\`, read the diff, add a changeset, commit all`,
    )
  } else {
    console.log(`updated ${shown}`)
  }
}

function extractorConfig(
  found: WorkspacePackage,
  door: Door,
  reportFolder: string,
  reportFile: string,
): ExtractorConfig {
  const configObject: IConfigFile = {
    projectFolder: found.dir,
    mainEntryPointFilePath: join(found.dir, door.types),
    newlineKind: 'lf',
    compiler: {
      overrideTsconfig: {
        compilerOptions: {
          target: 'es2023',
          lib: ['es2023', 'esnext.disposable'],
          module: 'nodenext',
          moduleResolution: 'nodenext',
          types: ['node'],
          strict: true,
          skipLibCheck: true,
        },
        include: [join(found.dir, door.types)],
      },
    },
    apiReport: {
      enabled: true,
      reportFileName: reportFile,
      reportFolder,
      reportTempFolder: join(workspaceRoot, 'node_modules/.cache/api-reports', found.path),
    },
    docModel: { enabled: false },
    dtsRollup: { enabled: false },
    tsdocMetadata: { enabled: false },
    messages: {
      compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.Error } },
      extractorMessageReporting: {
        default: { logLevel: ExtractorLogLevel.None },
        'ae-forgotten-export': { logLevel: ExtractorLogLevel.Error },
      },
      tsdocMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
    },
  }
  return ExtractorConfig.prepare({
    configObject,
    configObjectFullPath: undefined,
    packageJsonFullPath: join(found.dir, 'package.json'),
  })
}
