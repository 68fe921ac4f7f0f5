/** Whom this process acts as: its effective user and group. Without such things (Windows), as one who may do anything. */
export const self = (): { readonly uid: number; readonly gid: number } => ({
  uid: process.geteuid?.() ?? 0,
  gid: process.getegid?.() ?? 0
})
