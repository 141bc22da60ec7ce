import { Command } from 'commander'

/** A command as all of ours are: the help option first, and worded alike. */
export function createCommand(name: string, description: string): Command {
  return new Command(name).description(description).helpOption('-h, --help', 'show help')
}
