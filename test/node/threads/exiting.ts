/** Ends its thread when it is loaded. */
const begin = (): void => process.exit(9)

begin()

export const never = (): number => 1
