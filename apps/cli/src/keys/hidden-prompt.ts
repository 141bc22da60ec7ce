import { InterruptedError } from '../errors.ts'

/** The part of a terminal's input that a prompt uses. */
export interface PromptInput {
  setRawMode(mode: boolean): unknown
  resume(): unknown
  pause(): unknown
  on(event: 'data', listener: (chunk: Buffer | string) => void): unknown
  off(event: 'data', listener: (chunk: Buffer | string) => void): unknown
}

/** Asks for a line on a terminal and shows nothing of it. */
export function promptHidden(
  question: string,
  input: PromptInput,
  output: { write(text: string): unknown },
): Promise<string> {
  return new Promise((resolve, reject) => {
    let line = ''
    const finish = (settle: () => void): void => {
      input.off('data', onData)
      input.setRawMode(false)
      input.pause()
      output.write('\n')
      settle()
    }
    const onData = (chunk: Buffer | string): void => {
      for (const character of String(chunk)) {
        const end = endOfLine(character, line)
        if (end === 'interrupt') finish(() => reject(new InterruptedError('SIGINT', 'interrupted')))
        else if (end === 'line') finish(() => resolve(line))
        if (end !== undefined) return
        if (character === '\u007f' || character === '\b') line = line.slice(0, -1)
        else if (character >= ' ') line += character
      }
    }
    // Raw before the question is there: what is typed ahead must not be echoed either.
    input.setRawMode(true)
    input.on('data', onData)
    input.resume()
    output.write(question)
  })
}

/** Enter, and Ctrl-D on an empty line, end a line; Ctrl-C is no signal while the terminal is raw. */
function endOfLine(character: string, line: string): 'line' | 'interrupt' | undefined {
  if (character === '\u0003') return 'interrupt'
  const ends = character === '\r' || character === '\n' || (character === '\u0004' && line === '')
  return ends ? 'line' : undefined
}
