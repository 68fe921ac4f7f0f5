/** A running hash of what happened, 64 bits in two halves: equal histories have equal ones. Not for secrets. */
export class Hash {
  private high = 0x9e3779b9
  private low = 0x85ebca6b

  /** Mixes in a whole number; of one beyond 32 bits all of it. */
  add(value: number): void {
    const word = value | 0
    const rest = (value / 0x1_0000_0000) | 0
    this.high = Math.imul((this.high ^ word) + ((this.low << 13) | (this.low >>> 19)), 0xcc9e2d51)
    this.low = Math.imul((this.low ^ rest ^ (this.high >>> 15)) + word, 0x1b873593)
  }

  addText(text: string): void {
    for (let i = 0; i < text.length; i++) this.add(text.charCodeAt(i))
    this.add(text.length)
  }

  addBytes(bytes: Uint8Array): void {
    let word = bytes.length
    for (let i = 0; i < bytes.length; i++) word = Math.imul(word ^ bytes[i]!, 0x01000193)
    this.add(word)
  }

  /** 16 hexadecimal digits. */
  get digest(): string {
    return hex(this.high) + hex(this.low)
  }
}

const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, "0")
