import {
  type EnvelopeKeyRecord,
  type Metastore,
  parseEnvelopeKeyRecord,
  serializeEnvelopeKeyRecord,
} from '@asherah/core/backend'
import type { MetastoreSubject } from '../src/metastore/subject.ts'
import type { KnownFault } from './failing-checks.ts'
import { type LocalSteps, type LocalStore, localMetastore } from './local-metastore.ts'

/** A subject over a store of its own; `alter` breaks what one metastore does. */
export function subject(
  steps: Partial<LocalSteps> = {},
  alter: (metastore: ReturnType<typeof localMetastore>, rows: LocalStore) => Metastore = (metastore) => metastore,
  reopened: (rows: LocalStore) => LocalStore = (rows) => rows,
): MetastoreSubject {
  const rows: LocalStore = []
  const open = (of: LocalStore): Metastore => alter(localMetastore(of, steps), of)
  return {
    metastore: open(rows),
    maxCreated: 253_402_300_799,
    ignoresTrailingSpaces: false,
    create: async () => open(rows),
    reopen: async () => open(reopened(rows)),
    async overwriteBody(key, text) {
      for (const row of rows) if (row.keyId === key.keyId && row.created === key.created) row.text = text
    },
  }
}

const parse = (row: { readonly keyId: string; readonly created: number; readonly text: string }): EnvelopeKeyRecord =>
  parseEnvelopeKeyRecord(row.text, row)

const write = (record: EnvelopeKeyRecord): { keyId: string; created: number; text: string } => ({
  keyId: record.keyId,
  created: record.created,
  text: serializeEnvelopeKeyRecord(record),
})

/** SQL's LIKE. */
function isLike(stored: string, pattern: string): boolean {
  const source = pattern.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${source.replaceAll('%', '.*').replaceAll('_', '.')}$`, 'su').test(stored)
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1))

/** What goes wrong in metastores, and which checks of the kit must see it. */
export const metastoreFaults: readonly KnownFault<MetastoreSubject>[] = [
  {
    fault: 'a store that gives nothing',
    seenBy: [
      'store gives true',
      'a system key has no parent',
      'each created of an id',
      'ids with quotes',
      "a parent's id",
    ],
    make: () =>
      subject({}, (metastore) => ({
        ...metastore,
        async store(...args) {
          await metastore.store(...args)
          return Reflect.get({}, 'nothing')
        },
      })),
  },
  {
    fault: 'a lost revoked flag',
    seenBy: ['the revoked flag is kept', 'markRevoked gives true'],
    make: () => subject({ read: (row) => ({ ...parse(row), revoked: false }) }),
  },
  {
    fault: 'a parent on a system key',
    seenBy: ['a system key has no parent'],
    make: () => subject({ read: (row) => ({ ...parse(row), parentKeyMeta: { keyId: '_SK_x', created: 1 } }) }),
  },
  {
    fault: 'undefined for a missing row',
    seenBy: ['give null where there is no such row', 'an id that was never stored'],
    make: () =>
      subject({}, (metastore) => ({
        ...metastore,
        load: async (...args) => (await metastore.load(...args)) ?? Reflect.get({}, 'nothing'),
      })),
  },
  {
    fault: 'the last store wins',
    seenBy: ['a second store of a row', 'of 50 racing stores', 'of 50 stores racing', 'a reader beside racing stores'],
    make: () =>
      subject({}, (metastore, rows) => ({
        ...metastore,
        async store(keyId, created, record, call) {
          const at = rows.findIndex((row) => row.keyId === keyId && row.created === created)
          if (at >= 0) rows.splice(at, 1)
          return metastore.store(keyId, created, record, call)
        },
      })),
  },
  {
    fault: 'a look and an insert apart',
    seenBy: ['of 50 racing stores', 'of 50 stores racing'],
    make: () =>
      subject({}, (metastore, rows) => ({
        ...metastore,
        async store(keyId, created, record) {
          if ((await metastore.load(keyId, created)) !== null) return false
          await pause()
          rows.push(write(record))
          return true
        },
      })),
  },
  {
    fault: 'a deadlock of two stores at once',
    seenBy: ['racing stores of different rows'],
    make() {
      let busy = false
      return subject({}, (metastore) => ({
        ...metastore,
        async store(...args) {
          if (busy) throw new Error('deadlock')
          busy = true
          await pause()
          busy = false
          return metastore.store(...args)
        },
      }))
    },
  },
  {
    fault: 'key bytes cut at 255',
    seenBy: ['key bytes of any value and length'],
    make: () =>
      subject({ write: (record) => write({ ...record, encryptedKey: record.encryptedKey.subarray(0, 255) }) }),
  },
  {
    fault: 'the whole memory of a view',
    seenBy: ['a view of key bytes'],
    make: () =>
      subject({ write: (record) => write({ ...record, encryptedKey: new Uint8Array(record.encryptedKey.buffer) }) }),
  },
  {
    fault: 'records kept by reference',
    seenBy: ['bytes are copied'],
    make() {
      const records = new Map<string, EnvelopeKeyRecord>()
      const name = (keyId: string, created: number): string => `${created} ${keyId}`
      return subject({}, (metastore) => ({
        ...metastore,
        async store(keyId, created, record, call) {
          const stored = await metastore.store(keyId, created, record, call)
          if (stored) records.set(name(keyId, created), record)
          return stored
        },
        load: async (keyId, created, call) =>
          (await metastore.load(keyId, created, call)) && (records.get(name(keyId, created)) ?? null),
      }))
    },
  },
  {
    fault: 'a store that sorts the bytes in place',
    seenBy: ['store leaves its arguments alone'],
    make: () => subject({ write: (record) => write({ ...record, encryptedKey: record.encryptedKey.sort() }) }),
  },
  {
    fault: "an id beside the record's own",
    seenBy: ['store refuses an id or a created'],
    make: () => subject({ checkOwn: () => {} }),
  },
  {
    fault: 'signals ignored',
    seenBy: [
      'aborted already',
      'list can be left early',
      'markRevoked with an aborted signal',
      'check with an aborted signal',
    ],
    make: () => subject({ checkCall: () => {} }),
  },
  {
    fault: 'every signal taken for an aborted one',
    seenBy: ['a call with a signal that is not aborted'],
    make: () =>
      subject({
        checkCall(call) {
          if (call?.signal !== undefined) throw new Error('aborted')
        },
      }),
  },
  {
    fault: 'use after close',
    seenBy: ['close is idempotent'],
    make: () => subject({}, (metastore) => ({ ...metastore, close: async () => {} })),
  },
  {
    fault: 'ids without regard to case',
    seenBy: ['ids that differ in case', 'an id that was never stored', 'markRevoked leaves the other rows alone'],
    make: () => subject({ sameId: (stored, asked) => stored.toLowerCase() === asked.toLowerCase() }),
  },
  {
    fault: 'ids without spaces at the end of the partition',
    seenBy: ['ids that differ in case', 'an id that was never stored'],
    make: () => subject({ sameId: (stored, asked) => stored.replaceAll(' _', '_') === asked.replaceAll(' _', '_') }),
  },
  {
    fault: 'ids without trailing spaces',
    seenBy: ['an id that differs from a stored one only in spaces', 'markRevoked leaves the other rows alone'],
    make: () => subject({ sameId: (stored, asked) => stored.trimEnd() === asked.trimEnd() }),
  },
  {
    fault: 'normalized ids',
    seenBy: ['ids that differ in case', 'an id that was never stored'],
    make: () => subject({ sameId: (stored, asked) => stored.normalize() === asked.normalize() }),
  },
  {
    fault: 'ids taken for patterns',
    seenBy: ['loadLatest does not look at another', 'ids with quotes'],
    make: () => subject({ sameId: isLike }),
  },
  {
    fault: 'ids in Latin-1',
    seenBy: ['ids with quotes, wildcards', 'the longest id that fits'],
    make: () =>
      subject({
        write: (record) => ({ ...write(record), keyId: Buffer.from(record.keyId, 'latin1').toString('latin1') }),
      }),
  },
  {
    fault: "a parent's id in capitals",
    seenBy: ["a parent's id is kept exactly"],
    make: () =>
      subject({
        read(row) {
          const record = parse(row)
          const parent = record.parentKeyMeta
          return parent === undefined
            ? record
            : { ...record, parentKeyMeta: { ...parent, keyId: parent.keyId.toUpperCase() } }
        },
      }),
  },
  {
    fault: 'ids cut at 255',
    seenBy: ['the longest id that fits'],
    make: () => subject({ write: (record) => ({ ...write(record), keyId: record.keyId.slice(0, 255) }) }),
  },
  {
    fault: 'ids cut at their own limit',
    seenBy: ['an id that is too long'],
    make: () =>
      subject({ write: (record) => ({ ...write(record), keyId: record.keyId.slice(0, 255) }) }, (metastore) => ({
        ...metastore,
        maxKeyId: { unit: 'utf16', length: 255 },
      })),
  },
  {
    fault: 'a nonsensical limit',
    seenBy: ['maxKeyId and regionSuffix'],
    make: () => subject({}, (metastore) => ({ ...metastore, maxKeyId: { unit: 'bytes', length: -1 } })),
  },
  {
    fault: 'created in whole minutes',
    seenBy: ['each created of an id', 'list gives each of many rows once'],
    make: () => subject({ write: (record) => ({ ...write(record), created: Math.floor(record.created / 60) * 60 }) }),
  },
  {
    fault: 'created in 32 bits',
    seenBy: ['every created is kept', 'a created beyond the greatest'],
    make: () =>
      subject({
        read: (row) => ({ ...parse(row), created: row.created | 0 }),
      }),
  },
  {
    fault: 'the first row for the latest',
    seenBy: ['loadLatest gives the greatest created', 'notAfter is inclusive'],
    make: () =>
      subject({
        compare: (a, b) => Buffer.compare(Buffer.from(a.keyId), Buffer.from(b.keyId)) || b.created - a.created,
      }),
  },
  {
    fault: 'created in the order of its digits',
    seenBy: ['loadLatest orders by number', 'list gives every row whole'],
    make: () =>
      subject({
        compare: (a, b) =>
          Buffer.compare(Buffer.from(a.keyId), Buffer.from(b.keyId)) ||
          (String(a.created) < String(b.created) ? -1 : 1),
      }),
  },
  {
    fault: 'notAfter exclusive',
    seenBy: ['notAfter is inclusive'],
    make: () => subject({ within: (created, notAfter) => created < notAfter }),
  },
  {
    fault: 'notAfter ignored',
    seenBy: ['notAfter is inclusive'],
    make: () => subject({ within: () => true }),
  },
  {
    fault: 'rows of the process alone',
    seenBy: ['a second metastore over the same rows', 'of 50 stores racing'],
    make: () => subject({}, undefined, (rows) => [...rows]),
  },
  {
    fault: 'a malformed row taken for a missing one',
    seenBy: ['a malformed row is a CorruptRecordError'],
    make: () =>
      subject({
        read(row) {
          try {
            return parse(row)
          } catch {
            return null
          }
        },
      }),
  },
  {
    fault: 'a fixed order of fields',
    seenBy: ["other implementations' forms"],
    make: () =>
      subject({
        read(row) {
          if (!/^\{("Revoked":true,)?"Created":/.test(row.text)) throw new Error('unexpected field')
          return parse(row)
        },
      }),
  },
  {
    fault: 'a list in the order of UTF-16',
    seenBy: ['list gives every row whole', 'list after a key'],
    make: () =>
      subject({ compare: (a, b) => (a.keyId < b.keyId ? -1 : a.keyId > b.keyId ? 1 : a.created - b.created) }),
  },
  {
    fault: 'a list of one page',
    seenBy: ['list gives each of many rows once'],
    make: () =>
      subject({}, (metastore) => ({
        ...metastore,
        async *list(call) {
          let count = 0
          for await (const row of metastore.list(call)) {
            if (++count > 300) return
            yield row
          }
        },
      })),
  },
  {
    fault: 'a list after a key that starts with it',
    seenBy: ['list after a key goes on with the next one'],
    make: () =>
      subject({}, (metastore) => ({
        ...metastore,
        list: (call) =>
          metastore.list(
            call?.after === undefined ? call : { ...call, after: { ...call.after, created: call.after.created - 1 } },
          ),
      })),
  },
  {
    fault: 'a revocation of every row of an id',
    seenBy: ['markRevoked leaves the other rows alone'],
    make: () =>
      subject({}, (metastore, rows) => ({
        ...metastore,
        async markRevoked(keyId, created, call) {
          for (const row of rows.filter((r) => r.keyId === keyId)) await metastore.markRevoked(keyId, row.created, call)
          return metastore.markRevoked(keyId, created, call)
        },
      })),
  },
  {
    fault: 'a revocation that reports what it changed, and not what is there',
    seenBy: ['markRevoked gives true, marks that row'],
    make: () =>
      subject({}, (metastore) => ({
        ...metastore,
        async markRevoked(keyId, created, call) {
          const before = await metastore.load(keyId, created)
          return (await metastore.markRevoked(keyId, created, call)) && before?.revoked === false
        },
      })),
  },
  {
    fault: 'a report that contradicts its findings',
    seenBy: ['check finds a sound store fit for use'],
    make: () => subject({}, (metastore) => ({ ...metastore, check: async () => ({ ok: false, findings: [] }) })),
  },
]
