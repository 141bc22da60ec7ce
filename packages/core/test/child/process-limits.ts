// A child process: what the kernel says of it before and after a factory was made, used and closed.
import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { SessionFactory } from '../../src/index.ts'
import { bytesOf, createFakeKms, createFakeMetastore } from '../fakes.ts'

function state(): Record<string, unknown> {
  const status = readFileSync('/proc/self/status', 'utf8')
  return {
    limits: readFileSync('/proc/self/limits', 'utf8'),
    // A process that is not dumpable has its files in /proc owned by root, and no debugger can attach to it.
    dumpable: statSync('/proc/self/mem').uid,
    coredumpFilter: readFileSync('/proc/self/coredump_filter', 'utf8'),
    lines: status
      .split('\n')
      .filter((line) => /^(NoNewPrivs|Seccomp|Speculation|VmLck|THP|SigCgt|SigIgn|SigBlk)/.test(line)),
    env: createHash('sha256').update(JSON.stringify(process.env)).digest('hex'),
    listeners: process.eventNames().map(String).sort(),
    title: process.title,
    cwd: process.cwd(),
    umask: process.umask(),
  }
}

async function main(): Promise<void> {
  // Settles what Node itself does on first use.
  await new Promise((resolve) => setTimeout(resolve, 20))
  const before = state()
  const options = { service: 's', product: 'p', metastore: createFakeMetastore(), kms: createFakeKms() }
  const factory = new SessionFactory(options)
  const made = state()
  const session = factory.getSession('p')
  await session.decrypt(await session.encrypt(bytesOf('x')))
  await factory.close()
  console.log(JSON.stringify({ before, made, after: state() }))
}

void main()
