"""`pipeline coupons`: codes from files and topics to coupon sets, and which codes orders used."""
