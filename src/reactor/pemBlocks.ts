/** The blocks of a PEM file (RFC 7468) whose label passes, in its order; the text around them is comment. */
export const pemBlocks = (pem: string, label: RegExp): ReadonlyArray<string> => {
  const blocks: Array<string> = []
  let at = pem.indexOf(begin)
  while (at !== -1) {
    const from = at + begin.length
    const name = pem.slice(from, pem.indexOf("-----", from))
    const last = `-----END ${name}-----`
    const end = pem.indexOf(last, at)
    if (end === -1) break
    if (label.test(name)) blocks.push(pem.slice(at, end + last.length))
    at = pem.indexOf(begin, end)
  }
  return blocks
}

const begin = "-----BEGIN "

/** OpenSSL's three names for one. */
export const certificateLabel = /^(?:X509 |TRUSTED )?CERTIFICATE$/

export const privateKeyLabel = /PRIVATE KEY$/
