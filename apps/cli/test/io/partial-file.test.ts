import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { type Position, startPosition } from '../../src/formats/format.ts'
import { openInput } from '../../src/io/input.ts'
import { isSameFile, resolveTarget } from '../../src/io/output.ts'
import { openPartialFile } from '../../src/io/partial-file.ts'
import { tempFolder } from '../temp-folder.ts'

const run = { command: 'encrypt', field: 'a' }

interface Options {
  readonly force?: boolean
  readonly resume?: boolean
  readonly run?: Record<string, string>
}

async function openIn(folder: string, options: Options = {}) {
  const input = await openInput(join(folder, 'in.csv'), Readable.from([]))
  const target = await resolveTarget(join(folder, 'out.csv'))
  return openPartialFile({ target, input, run, force: false, resume: false, mode: 0o600, checkpointMs: 0, ...options })
}

function folderWithInput(): string {
  const folder = tempFolder()
  writeFileSync(join(folder, 'in.csv'), 'input')
  return folder
}

function at(rows: number, output: number): Position {
  return { ...startPosition, input: rows, rows, output }
}

/** Leaves what a process leaves that is killed in its third row: two rows are certain, and half of one follows. */
async function killedRun(folder: string): Promise<void> {
  const output = await openIn(folder)
  for (const [index, row] of ['one.', 'two.', 'more'].entries()) {
    await output.write(Buffer.from(row))
    await output.reached(at(index + 1, 4 * (index + 1)))
  }
  expect(await output.abandon(true)).toBe(true)
  writeFileSync(join(folder, 'out.csv.asherah-partial'), 'one.two.thr')
}

/** The journal names this very process, which is no obstacle: a restarted container has the same ids. */
test('a run resumes at the last certain row, and cuts off what follows', async () => {
  const folder = folderWithInput()
  await killedRun(folder)
  const output = await openIn(folder, { resume: true })
  expect(output.start).toEqual(at(2, 8))
  await output.write(Buffer.from('three.'))
  await output.publish(at(3, 14))
  expect(readFileSync(join(folder, 'out.csv'), 'utf8')).toBe('one.two.three.')
  expect(existsSync(join(folder, 'out.csv.asherah-partial'))).toBe(false)
  expect(existsSync(join(folder, 'out.csv.asherah-journal'))).toBe(false)
})

test('the output appears only when it is published, for its owner only', async () => {
  const folder = folderWithInput()
  const output = await openIn(folder)
  await output.write(Buffer.from('all'))
  expect(existsSync(join(folder, 'out.csv'))).toBe(false)
  expect(statSync(join(folder, 'out.csv.asherah-partial')).mode & 0o777).toBe(0o600)
  await output.publish(at(1, 3))
  expect(readFileSync(join(folder, 'out.csv'), 'utf8')).toBe('all')
  expect(statSync(join(folder, 'out.csv')).mode & 0o777).toBe(0o600)
})

test('what an interrupted run left is neither dropped nor resumed unasked', async () => {
  const folder = folderWithInput()
  await killedRun(folder)
  await expect(openIn(folder)).rejects.toThrow(
    /an interrupted run left '.*--resume goes on with it, --force starts over/,
  )
  const output = await openIn(folder, { force: true })
  expect(output.start).toEqual(startPosition)
  await output.abandon(false)
})

describe('resuming is refused', () => {
  test('with other options, which are named', async () => {
    const folder = folderWithInput()
    await killedRun(folder)
    await expect(openIn(folder, { resume: true, run: { ...run, field: 'b' } })).rejects.toThrow(
      /cannot resume with another field: it was 'a' and is now 'b'/,
    )
  })

  test('with a changed input', async () => {
    const folder = folderWithInput()
    await killedRun(folder)
    writeFileSync(join(folder, 'in.csv'), 'other')
    await expect(openIn(folder, { resume: true })).rejects.toThrow(/in.csv' was changed since the interrupted run/)
  })

  test('with a partial output that is too short', async () => {
    const folder = folderWithInput()
    await killedRun(folder)
    writeFileSync(join(folder, 'out.csv.asherah-partial'), 'one')
    await expect(openIn(folder, { resume: true })).rejects.toThrow(/shorter than its journal says/)
  })

  test('with a journal that is damaged', async () => {
    const folder = folderWithInput()
    await killedRun(folder)
    writeFileSync(join(folder, 'out.csv.asherah-journal'), '{"version":1}')
    await expect(openIn(folder, { resume: true })).rejects.toThrow(/not a journal of this version/)
    await (await openIn(folder, { force: true })).abandon(false)
  })

  test('while another process writes', async () => {
    const folder = folderWithInput()
    await killedRun(folder)
    const path = join(folder, 'out.csv.asherah-journal')
    const journal = JSON.parse(readFileSync(path, 'utf8'))
    writeFileSync(path, JSON.stringify({ ...journal, pid: process.ppid }))
    await expect(openIn(folder, { resume: true })).rejects.toThrow(/process \d+ is writing/)
    await expect(openIn(folder, { force: true })).rejects.toThrow(/process \d+ is writing/)
  })
})

test('resuming when nothing was interrupted starts from the start', async () => {
  const folder = folderWithInput()
  const output = await openIn(folder, { resume: true })
  expect(output.start).toEqual(startPosition)
  await output.abandon(false)
})

test('a run killed between the rename and the last clean-up is complete', async () => {
  const folder = folderWithInput()
  await killedRun(folder)
  const journal = join(folder, 'out.csv.asherah-journal')
  const saved = readFileSync(journal, 'utf8')
  const first = await openIn(folder, { resume: true })
  await first.publish(first.start)
  writeFileSync(journal, saved.replace('"complete":false', '"complete":true'))
  const again = await openIn(folder, { resume: true })
  expect(again.complete).toBe(true)
  await again.publish(again.start)
  expect(existsSync(journal)).toBe(false)
  expect(readFileSync(join(folder, 'out.csv'), 'utf8')).toBe('one.two.')
})

test('an existing output stays until --force replaces it whole', async () => {
  const folder = folderWithInput()
  writeFileSync(join(folder, 'out.csv'), 'old')
  await expect(openIn(folder)).rejects.toThrow(/exists already.*--force/)
  const output = await openIn(folder, { force: true })
  await output.write(Buffer.from('new'))
  expect(readFileSync(join(folder, 'out.csv'), 'utf8')).toBe('old')
  await output.publish(at(1, 3))
  expect(readFileSync(join(folder, 'out.csv'), 'utf8')).toBe('new')
})

test('a failed run leaves nothing, or what it needs to be resumed', async () => {
  const folder = folderWithInput()
  const early = await openIn(folder)
  expect(await early.abandon(true)).toBe(false)
  expect(existsSync(join(folder, 'out.csv.asherah-partial'))).toBe(false)

  await killedRun(folder)
  const late = await openIn(folder, { resume: true })
  expect(await late.abandon(true)).toBe(true)
  const last = await openIn(folder, { resume: true })
  expect(last.start).toEqual(at(2, 8))
  expect(await last.abandon(false)).toBe(false)
  expect(existsSync(join(folder, 'out.csv.asherah-journal'))).toBe(false)
})

test('of two runs for one output the second is refused', async () => {
  const folder = folderWithInput()
  const first = await openIn(folder)
  await expect(openIn(folder)).rejects.toThrow(/an interrupted run left/)
  await first.abandon(false)
})

describe('targets', () => {
  test('a link is followed: the file is replaced, not the link', async () => {
    const folder = tempFolder()
    writeFileSync(join(folder, 'real'), '')
    symlinkSync('real', join(folder, 'link'))
    expect((await resolveTarget(join(folder, 'link'))).path.endsWith('real')).toBe(true)
    expect(await isSameFile(join(folder, 'link'), join(folder, 'real'))).toBe(true)
    expect(await isSameFile(join(folder, 'link'), join(folder, 'none'))).toBe(false)
  })

  test('a device is written to, not replaced', async () => {
    expect(await resolveTarget('/dev/null')).toMatchObject({ kind: 'device' })
  })

  test('a folder, a link to nothing and a missing folder are refused', async () => {
    const folder = tempFolder()
    mkdirSync(join(folder, 'sub'))
    symlinkSync('nothing', join(folder, 'dangling'))
    await expect(resolveTarget(join(folder, 'sub'))).rejects.toThrow(/is a folder/)
    await expect(resolveTarget(join(folder, 'dangling'))).rejects.toThrow(/a link to a file that does not exist/)
    await expect(resolveTarget(join(folder, 'none', 'x'))).rejects.toThrow(/no such file or folder/)
  })
})

test('an input that changes while it is read is found out', async () => {
  const folder = folderWithInput()
  const input = await openInput(join(folder, 'in.csv'), Readable.from([]))
  await input.checkUnchanged()
  writeFileSync(join(folder, 'in.csv'), 'input and more')
  await expect(input.checkUnchanged()).rejects.toThrow(/was changed while it was read/)
})
