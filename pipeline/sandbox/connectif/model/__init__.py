"""What an account holds: contacts, products, purchases, coupons and definitions, and the rules they keep."""
