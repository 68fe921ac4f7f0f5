#!/usr/bin/env node
/** The `spindle` command. */
import * as fs from "node:fs"
import process from "node:process"

const help = `spindle: an event-driven network engine

Usage: spindle [--help | --version]

  -h, --help     Show this text
  -v, --version  Show the version

There are no subcommands yet: servers are programs, built from Layers.
`

const version = (): string => {
  const manifest: unknown = JSON.parse(fs.readFileSync(new URL("../package.json", import.meta.url), "utf8"))
  return (manifest as { readonly version: string }).version
}

const [first] = process.argv.slice(2)
if (first === "--version" || first === "-v") process.stdout.write(`${version()}\n`)
else if (first === undefined || first === "--help" || first === "-h") process.stdout.write(help)
else {
  process.stderr.write(`spindle: unknown argument "${first}", see spindle --help\n`)
  process.exitCode = 1
}
