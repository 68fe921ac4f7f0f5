/** The certificate of the TLS servers, from the files that the harness made. */
import { readFileSync } from "node:fs"

const file = (variable: string): string => {
  const path = process.env[variable]
  if (path === undefined) throw new Error(`${variable} is not set`)
  return readFileSync(path, "utf8")
}

export const identity = (): { readonly certificate: string; readonly privateKey: string } => ({
  certificate: file("CERTIFICATE"),
  privateKey: file("PRIVATE_KEY")
})
