// A hook of QEWD-Up.
