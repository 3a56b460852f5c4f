"""What people see. Streamlit only; no mathematics."""
